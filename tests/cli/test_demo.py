"""The demo judges a slice of both corpora and ends with commands that work as they are printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer.main

from crisol.cli import app
from crisol.cli.demo import _QUICK, _next
from crisol.wargaming.vulnerability import find

ROOT = Path(__file__).parents[2]


def test_the_commands_to_try_next_exist_and_so_do_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder and with the program that `make run` has: no activated environment is needed."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [".venv/bin/crisol", "demo"])
    lines = _next().splitlines()
    assert len(lines) == 3
    for line in lines:
        program, command, *arguments = line.split()
        assert program == ".venv/bin/crisol"
        assert command in typer.main.get_group(app).commands
        for argument in arguments:
            assert "/" not in argument or (ROOT / argument).exists(), argument
    monkeypatch.setattr(sys, "argv", [str(ROOT / ".venv" / "bin" / "crisol"), "demo"])
    assert _next().split()[0] == ".venv/bin/crisol"


@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("crisol", "./crisol"),
        (str(ROOT / "crisol"), "./crisol"),
        ("/opt/my tools/crisol", "'/opt/my tools/crisol'"),
        (str(ROOT / "src" / "crisol" / "__main__.py"), "bin/python3 -m crisol"),
    ],
)
def test_a_command_to_try_next_starts_as_it_must_be_typed(
    program: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell looks up no program in the current folder, and ``python -m crisol`` has no program."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [program, "demo"])
    monkeypatch.setattr(sys, "executable", str(ROOT / "bin" / "python3"))
    assert _next().splitlines()[-1] == f"  {start} ui"


def test_the_slice_has_eight_weaknesses_of_each_corpus() -> None:
    """Both halves of the A/B experiment then have several kinds of flaws."""
    chosen = find(ROOT / "data" / "vulnerabilities", sorted(_QUICK))
    for corpus in ("arena", "pypi"):
        weaknesses = [flaw.cwe for flaw in chosen if flaw.corpus == corpus]
        assert len(set(weaknesses)) == len(weaknesses) == 8
