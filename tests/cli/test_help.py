"""The help says what Crisol is, and every command and option of it in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from crisol.cli import app


def commands(group: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*above, name), command
        if hasattr(command, "commands"):
            yield from commands(command, *above, name)


EVERY = dict(commands(typer.main.get_group(app)))


def test_the_help_says_what_crisol_is_and_groups_by_job() -> None:
    text = CliRunner().invoke(app, ["-h"]).output
    assert "which security patches really fix a vulnerability" in " ".join(text.split())
    for job in ("Judge patches", "Ground truth", "Experiments", "The service", "The workspace"):
        assert job in text
    assert "Exit codes: 0 valid" in " ".join(text.split())


@pytest.mark.parametrize("words", [(), *EVERY], ids=" ".join)
def test_a_flag_shows_no_type_and_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "-h"], prog_name="crisol")
    assert done.exit_code == 0
    assert "bool" not in done.output.lower()
    for parameter in EVERY[words].params if words else ():
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_command_stands_in_a_group_and_starts_with_one_sentence(words: tuple[str, ...]) -> None:
    if len(words) == 1:
        assert EVERY[words].rich_help_panel
    assert str(EVERY[words].help).strip().split("\n\n")[0].endswith(".")


@pytest.mark.parametrize(
    "words",
    [
        ("wargame",), ("triage",), ("predict",), ("evaluate",), ("promote",), ("retrain",), ("doctor",),
        ("clean",), ("run",), ("loadtest",), ("chaos",), ("vulnerability", "check"), ("corpus", "list"),
        ("corpus", "show"), ("corpus", "verify"), ("corpus", "import"), ("corpus", "audit"), ("db", "status"),
        ("ab", "status"), ("ab", "results"), ("ab", "compare"), ("ab", "watch"), ("ab", "plan"),
        ("models", "list"), ("models", "show"), ("models", "promote"), ("runs", "list"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_lists_or_judges_has_json(words: tuple[str, ...]) -> None:
    assert "--json" in [name for parameter in EVERY[words].params for name in parameter.opts]
