"""The report's conclusion says in five sentences what the three runs found."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from crisol.lab.demo_report import EXPERIMENTS, conclude
from crisol.lab.papermill import Finished
from support.tables import corpus

TABLES = {
    "variants": [
        {"variant": "forest", "headline_auc": 0.8, "headline_low": 0.7, "headline_high": 0.9},
        {"variant": "style alone", "headline_auc": 0.6, "headline_low": 0.5, "headline_high": 0.7},
        {"variant": "origin alone", "headline_auc": 0.67, "headline_low": 0.6, "headline_high": 0.7},
    ],
    "origins": [{"variant": "forest", "hand": 0.72, "agent": 0.35}, {"variant": "style alone", "hand": 0.6}],
    "risk": [{"variant": "forest", "skipped": 0.125, "why": "accept: 3 are too few; reject: the same"}],
    "ab_results": [
        {"measure": "recall", "trials": 9, "estimate": 0, "low": 0, "high": 0, "naive": 0, "whole": 0},
        {"measure": "accuracy", "trials": 9, "estimate": 0.75, "low": 0.5, "high": 0.875, "naive": 0.25}
        | {"whole": 0.625},
    ],
}


def finished(folder: Path, **changes: list[dict[str, object]]) -> dict[str, Finished]:
    for name in ("tables", "figures"):
        (folder / name).mkdir()
    for name, rows in (TABLES | changes).items():
        table = pd.DataFrame(rows)
        content = {"columns": list(table.columns), "rows": table.to_numpy().tolist()}
        (folder / "tables" / f"{name}.json").write_text(json.dumps(content))
    (folder / "figures" / "auc.png").write_bytes(b"png")
    (folder / "figures" / "auc.txt").write_text("AUC")
    return {name: Finished(name, folder, folder / "n.ipynb") for name in EXPERIMENTS}


def test_five_sentences_four_numbers_and_a_picture(tmp_path: Path) -> None:
    conclusion = conclude(corpus(), finished(tmp_path))
    assert len(conclusion.sentences) == 5
    assert all(sentence.endswith(".") for sentence in conclusion.sentences)
    assert [value for value, _ in conclusion.numbers][1:] == ["0.800", "0.600", "12.5%"]
    text = " ".join(conclusion.sentences)
    for words in (
        "0.800 [0.700, 0.900]",
        "+0.200",
        "who wrote it, 0.670",
        "apart, forest has 0.720 on hand-written patches and 0.350 on patches of agents",
        "(accept: 3 are too few)",
        "0.750 [0.500, 0.875]",
        "0.625",
    ):
        assert words in text, words
    assert conclusion.picture.caption == "AUC"


def test_too_few_vulnerabilities_for_an_interval_give_an_estimate_alone(tmp_path: Path) -> None:
    few = {"measure": "accuracy", "trials": 9, "estimate": 0.75, "low": None, "high": None}
    conclusion = conclude(corpus(), finished(tmp_path, ab_results=[few | {"naive": 0.25, "whole": 0.625}]))
    assert (
        "at 0.750 (no interval: fewer than 10 vulnerabilities were held out); wargaming"
        in (conclusion.sentences[-1])
    )
