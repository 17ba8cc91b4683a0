"""The commands about models, called as a user calls them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from crisol import cli
from crisol.model.risk import least
from crisol.wargaming.corpus import COLUMNS, save_table
from support.model_data import patches

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a workbench of its own, with a labelled set in it."""
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "variants.yaml", tmp_path / "experiments")
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    rows = [
        {"id": p.id, "project": p.project, "bug_id": p.group, "language": "python", "tool": "made up"}
        | {"label": p.label, "diff": p.diff}
        for p in patches(12, 5)
    ]
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line with these arguments and return its exit code."""
    monkeypatch.setattr("sys.argv", ["crisol", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("cwe", ["CWE-\u0667\u0669", "0", "CWE-000", "cwe-123456"])
def test_a_weakness_that_the_service_refuses_is_refused(
    cwe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CWE has one to five ASCII digits and is not 0."""
    assert call(monkeypatch, "predict", "p.diff", "--cwe", cwe) == 64
    assert "write CWE-79" in capsys.readouterr().err


def test_the_same_seed_prints_the_same_digits(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("evaluate", "--data", str(bench / "set.jsonl"), "--variant", "lightgbm", "--json")
    assert call(monkeypatch, *arguments) == 0
    first = capsys.readouterr().out
    assert call(monkeypatch, *arguments, "--group", "bug_id") == 0
    assert capsys.readouterr().out == first
    document = json.loads(first)
    assert document["data"]["groups"] == 12
    assert {choice["fold"] for choice in document["hyperparameters"]} == set(range(10))
    assert call(monkeypatch, *arguments, "--no-search") == 0
    assert json.loads(capsys.readouterr().out)["hyperparameters"] == []


def test_people_are_told_what_was_chosen_and_what_may_be_skipped(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With and without a guarantee, at each level, and how many groups without an error it takes."""
    arguments = (
        "evaluate",
        "--data",
        str(bench / "set.jsonl"),
        "--variant",
        "classic_forest",
        "--folds",
        "3",
    )
    assert call(monkeypatch, *arguments) == 0
    said = capsys.readouterr().out
    assert "hyper-parameters of classic_forest: " in said
    assert "classic_forest may skip" in said
    assert [line.split()[-1] for line in said.splitlines()[-4:]] == [
        str(least(level, 0.1)) for level in (0.02, 0.05, 0.1, 0.2)
    ]


def test_a_bad_line_ends_the_command_with_its_number(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bench / "set.jsonl"
    path.write_text(path.read_text() + "\n{broken")
    assert call(monkeypatch, "evaluate", "--data", str(path)) == 64
    assert "set.jsonl:61: not JSON" in capsys.readouterr().err.replace("\n", "")


def test_data_and_transfer_exclude_each_other(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(bench / "set.jsonl")
    assert call(monkeypatch, "evaluate", "--data", path, "--train", path, "--test", path) == 64
    assert call(monkeypatch, "evaluate", "--train", path) == 64
    two = ("--variant", "lightgbm", "--variant", "boosting")
    assert call(monkeypatch, "evaluate", "--data", path, "--stream", *two) == 64


def test_a_variant_that_reads_the_source_says_what_it_needs(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("evaluate", "--data", str(bench / "set.jsonl"), "--variant", "source_lightgbm")
    assert call(monkeypatch, *arguments) == 64
    assert "a corpus table (.parquet) alone" in capsys.readouterr().err.replace("\n", " ")


def test_a_promoted_model_answers_and_a_worse_one_waits(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The champion is served from the registry; with so few vulnerabilities it never decides alone."""
    variants = "version: 1\nvariants:\n"
    for name, depth in (("good", 4), ("poor", 1)):
        few = {"n_estimators": 20, "max_depth": depth, "min_samples_leaf": 1 if depth > 1 else 50}
        kind = "rich" if depth > 1 else "classic"
        variants += (
            f"  {name}: {{description: A forest., model: forest, features: {kind}, parameters: {few}}}\n"
        )
    (bench / "experiments" / "variants.yaml").write_text(variants.replace("'", '"'))
    outcome = {0: "invalid", 1: "valid"}
    rows = [
        {"id": p.id, "vulnerability": p.group, "project": p.project, "cwe": "CWE-22", "language": "python"}
        | {"origin": "hand", "diff": p.diff, "outcome": outcome[p.label], "basic_outcome": outcome[p.label]}
        | {"reason": "", "basic_reason": "", "seconds": 0.1}
        for p in patches(30, 8)
    ]
    table = pd.DataFrame([dict.fromkeys(COLUMNS, "") | row for row in rows])[list(COLUMNS)]
    save_table(table, bench / "corpus.parquet")
    diff = bench / "fix.diff"
    diff.write_text(patches(1, 1)[0].diff)

    assert call(monkeypatch, "predict", str(diff)) == 69
    assert "no patch-validity@champion yet" in capsys.readouterr().err.replace("\n", " ")
    assert call(monkeypatch, "promote", "good", "--data", str(bench / "corpus.parquet")) == 0
    assert "good is champion" in capsys.readouterr().out
    assert call(monkeypatch, "promote", "poor", "--data", str(bench / "corpus.parquet")) == 1
    assert "good stays champion" in capsys.readouterr().out
    assert call(monkeypatch, "predict", str(diff), "--cwe", "CWE-22", "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"].startswith("good-")
    assert 0 < answer["probability"] < 1
    assert f"no fewer than {least(0.02, 0.1)}" in answer["thresholds"]
