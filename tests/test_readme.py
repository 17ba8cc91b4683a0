"""The README speaks of everything that a user can call or set."""

from __future__ import annotations

import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from crisol.cli import app
from crisol.config import Settings, variable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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


SCRIPTS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.integration
@pytest.mark.parametrize("script", SCRIPTS, ids=["wargame", "train", "evaluate", "serve", "protect"])
def test_every_script_of_the_readme_runs(script: str, tmp_path: Path) -> None:
    """In a workbench of its own, in at most ten lines, and it says something."""
    for name in ("data", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"CRISOL_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_page_that_a_page_links_exists() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_that_the_documents_name_exists() -> None:
    """A rule whose test was renamed would stand there unproved."""
    root = Path(__file__).parent
    tests = "".join(path.read_text() for path in root.rglob("test_*.py"))
    for document in (root.parent / "docs").glob("*.md"):
        for name in re.findall(r"`(test_\w+)`", document.read_text()):
            assert f"def {name}(" in tests, f"{document.name}: {name}"


def test_every_other_block_of_commands_is_a_target_or_counts_packages() -> None:
    """Blocks marked ``sh`` are run by test_tutorials; the rest are targets of the Makefile, which exist."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE):
        for line in block.splitlines() if not kind else ():
            made = re.match(r"make ([a-z-]+)", line)
            assert made is None or made[1] in targets, line
            assert made or line.startswith("uv pip compile "), line


def test_every_module_that_the_documents_name_exists() -> None:
    """A name in code such as ``crisol.diff.fit`` can be imported."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for name in re.findall(r"`(crisol(?:\.\w+)+)`", page.read_text(encoding="utf-8")):
            if not name.endswith(".py"):
                assert pydoc.locate(name) is not None, f"{page.name}: {name}"
