"""The progress bar of long commands, as a terminal shows it."""

from __future__ import annotations

import io
import re

from rich.console import Console

from crisol.cli.progress import progress


def shown(completed: int) -> str:
    """Return the line of a task of which ``completed`` of 40 steps are done."""
    bar = progress()
    task = bar.add_task("wargames", total=40, note="3 valid")
    for _ in range(completed):
        bar.advance(task)
    screen = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with screen.capture() as line:
        screen.print(bar.make_tasks_table(bar.tasks))
    return line.get()


def test_a_bar_shows_count_note_rate_and_remaining_time() -> None:
    line = shown(10).split()
    assert line[0] == "wargames"
    assert line[-6:-3] == ["10/40", "3", "valid"]
    assert line[-3].endswith("/s")
    assert float(line[-3].removesuffix("/s")) > 1.0
    elapsed, remaining = line[-2:]
    assert elapsed == "0:00:00"
    assert re.fullmatch(r"0:00:\d\d", remaining), "known from the second step on"


def test_a_bar_without_a_finished_step_claims_neither_rate_nor_remaining_time() -> None:
    assert shown(0).split()[-5:] == ["0/40", "3", "valid", "0:00:00", "-:--:--"]
