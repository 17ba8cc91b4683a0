"""``crisol demo``: the main job, from a first verdict to a report, and what to try next."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from crisol.cli import corpus
from crisol.cli.console import out
from crisol.config import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from crisol.config import Settings

__all__ = ["demo"]

_SHOWN = "arena-zip-slip"


def demo(
    jobs: corpus.Jobs = 0,
    seed: Annotated[int, typer.Option(help="Chooses mutants, folds and samples.")] = 0,
    vulnerabilities: Annotated[
        int, typer.Option(help="A slice of so many, all corpora alike; 0 takes every one.", min=0)
    ] = 24,
    mutants: Annotated[int, typer.Option(help="At most so many mutants a vulnerability.", min=0)] = 6,
) -> None:
    """Run the whole pipeline: a slice of ground truth, the model variants, the A/B experiment, the report."""
    from crisol.lab import demo as lab_demo
    from crisol.wargaming.vulnerability import find, portion

    settings = load_settings()
    _first_verdicts(settings)
    chosen = portion(find(settings.search_path, skip=corpus.left_out), vulnerabilities)
    frame = corpus.build(chosen, corpus.plan(settings, mutants, seed), jobs)
    corpus.composition(frame)
    result = lab_demo.run(settings, frame, seed)
    out.print(_table(result.table))
    out.print(
        "AUC with a 95 % interval over vulnerabilities; saved: wargames that the model made unnecessary;\n"
        "wargames/s: patches that one process decides in a second, the model first.\n"
        f"{result.risk}\n{result.champion}\nreport: {result.report}\n\nTry next:\n{_next()}",
        soft_wrap=True,
    )


def _first_verdicts(settings: Settings) -> None:
    """Show what a wargame is, before hundreds of them run."""
    from crisol.workbench import wargame

    examples = settings.root / "data" / "examples"
    for name in ("right", "wrong"):
        verdict = wargame(_SHOWN, examples / f"{name}.diff", settings=settings)
        why = f" ({verdict.reason})" if verdict.reason else ""
        out.print(
            f"{_SHOWN}, {name}.diff: {verdict.outcome}{why} after {verdict.seconds:.1f} s of runs",
        )


def _table(rows: pd.DataFrame) -> Table:
    shown = Table("variant", "AUC by vulnerability, agents and people", "all", box=None)
    for name in ("false accepts", "saved", "wargames/s"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        # The wargame, the last row, has no AUC, and controls decide nothing.
        aucs = (
            "-"
            if math.isnan(row[f"{of}auc"])
            else _with_interval(row[f"{of}auc"], row[f"{bound}low"], row[f"{bound}high"])
            for of, bound in (("headline_", "headline_"), ("", "auc_"))
        )
        shares = (_cell(row["false_accept_rate"], ".1%"), _cell(row["saved"], ".1%"))
        shown.add_row(str(row["variant"]), *aucs, *shares, _cell(row["wargames_per_second"], ".1f"))
    return shown


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f}" if math.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _cell(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _next() -> str:
    """Return three commands that work as they are printed."""
    program = Path(sys.argv[0])
    here = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    commands = (
        f"wargame {_SHOWN} data/examples/wrong.diff",
        f"triage {_SHOWN} data/examples/candidates",
        "ui",
    )
    return "\n".join(f"  {here} {command}" for command in commands)
