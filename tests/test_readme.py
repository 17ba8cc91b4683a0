"""The README speaks of everything that a user can call or set."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from crisol.cli import app
from crisol.config import Settings, variable

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_command_stands_in_the_readme() -> None:
    """Groups with each of their commands."""
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        assert f"`crisol {name}" in README, name
        for inner in getattr(command, "commands", {}):
            assert re.search(rf"`crisol {name}[^|]*`{inner}`|`crisol {name} {inner}", README), (
                f"{name} {inner}"
            )


def test_every_environment_variable_stands_in_the_readme() -> None:
    """Each field of the settings is one variable."""
    missing = [name for name in Settings.model_fields if f"`{variable(name)}`" not in README]
    assert missing == []


def test_every_test_that_the_documents_name_exists() -> None:
    """A rule whose test was renamed would stand there unproved."""
    root = Path(__file__).parent
    tests = "".join(path.read_text() for path in root.rglob("test_*.py"))
    for document in (root.parent / "docs").glob("*.md"):
        for name in re.findall(r"`(test_\w+)`", document.read_text()):
            assert f"def {name}(" in tests, f"{document.name}: {name}"
