"""The progress bar of the commands that take more than a few seconds."""

from __future__ import annotations

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from crisol.cli.console import err

__all__ = ["progress"]


def progress() -> Progress:
    """Return a progress bar for standard error, with the rate and the remaining time.

    Use it in a ``with`` block. Each task needs a field ``note``, a text that is shown after the task's count:
    ``add_task(..., note="")``.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
    )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        if not elapsed or not task.completed:
            return Text("")
        rate = task.completed / elapsed
        return Text(f"{rate:.1f}/s" if rate >= 1.0 else f"{1.0 / rate:.1f} s each")
