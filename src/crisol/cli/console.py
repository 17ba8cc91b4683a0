"""What commands share: the two consoles, the progress bar, and the options that say how to read a patch."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Recount", "Strip", "err", "out", "progress"]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Strip = Annotated[
    int | None, typer.Option(help="Take so many leading folders off every path, as patch -p.", min=0)
]
Recount = Annotated[
    bool, typer.Option("--recount", help="Take a hunk to be as long as its lines, whatever its header says.")
]


def progress() -> Progress:
    """Return a progress bar on standard error; a task's field ``note`` stands behind its count."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    )
