"""Commands about models: measure them on labelled sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from crisol.cli.console import err, out
from crisol.config import load_settings
from crisol.errors import SettingsError

__all__ = ["evaluate"]

_MEASURES = {
    "AP": "average_precision",
    "acc.": "accuracy",
    "MCC": "mcc",
    "Brier": "brier",
    "ECE": "calibration_error",
    "inside": "auc_inside_groups",
    "leaky": "leaky_random_split_auc",
}


def evaluate(
    data: Annotated[Path | None, typer.Option(help="Labelled patches: .jsonl, .jsonl.gz or a .parquet corpus table.")] = None,
    group: Annotated[str, typer.Option(help="What is never split: a key of the lines; of a table vulnerability, package or cwe.")] = "bug_id",
    outer: Annotated[Literal["group", "project", "cwe"], typer.Option(help="By what the folds are made.")] = "group",
    train: Annotated[Path | None, typer.Option(help="Learn from this set, with --test.")] = None,
    test: Annotated[Path | None, typer.Option(help="Measure on this one.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="A variant's name; may be given more than once; default all.")] = None,
    folds: Annotated[int, typer.Option(min=2, max=50, help="Folds at most.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Chooses folds, models and bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:  # fmt: skip
    """Measure the model variants on labelled patches, across folds that split no group, or from one set to another."""
    if (train is None) != (test is None) or (data is None) == (test is None):
        raise SettingsError("give either --data FILE, or --train FILE and --test FILE")
    from crisol.lab import evaluate as lab

    question = lab.Question(data or test or Path(), train, group, outer, tuple(variant or ()), folds, seed)
    known = lab.facts(question)
    rows = []
    with err.status("evaluating") as status:
        for one in lab.evaluate(load_settings(), question, known):
            rows.append({"variant": one.name, **one.summary()})
            status.update(f"evaluated {one.name}")
    if as_json:
        print(json.dumps({"data": known, "variants": rows}))  # noqa: T201 - machines read this
        return
    _show(known, rows, "folds by " + (group if outer == "group" else outer) if train is None else "transfer")


def _show(known: dict[str, Any], rows: list[dict[str, Any]], how: str) -> None:
    out.print(
        f"{known['patches']} patches, {known['correct']} correct, of {known['groups']} groups in "
        f"{known['projects']} projects ({known['languages']}); {how}",
        markup=False,
        soft_wrap=True,
    )
    shown = Table("variant", "AUC", "95 %", box=None, padding=(0, 1, 0, 0))
    for name in _MEASURES:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        interval = f"{_digits(row, 'auc_low')}-{_digits(row, 'auc_high')}"
        measures = (_digits(row, measure) for measure in _MEASURES.values())
        shown.add_row(row["variant"], _digits(row, "auc"), interval, *measures)
    out.print(shown)
    lines = [f"accuracy of always saying the majority: {_digits(rows[0], 'majority_accuracy')}"]
    if "origin_auc" in known:
        lines.append(
            f"AUC without looking at the fix: origin {_digits(known, 'origin_auc')}, style "
            f"{_digits(known, 'style_auc')}, same-group mean (leaky) {_digits(known, 'same_group_mean_auc')}"
        )
    lines.append("inside: AUC over pairs of one group; leaky: AUC of a random split, shown as a warning")
    out.print("\n".join(lines), markup=False, soft_wrap=True)


def _digits(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return "-" if value is None or value != value else f"{value:.3f}"  # noqa: PLR0124 - not a number
