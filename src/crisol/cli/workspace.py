"""The commands for the folder in which a user works: ``crisol init``, ``doctor`` and ``clean``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import Json, emit, out
from crisol.config import load_settings

__all__ = ["clean", "doctor", "init"]


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of the workspace, created if it is missing; default the current folder.",
            show_default=False,
        ),
    ] = Path(),
) -> None:
    """Create a workspace in FOLDER: the folders notebooks, experiments, data and mlruns with their files.

    Existing files are not changed.
    """
    from crisol.lab import workspace

    new = workspace.make(folder)
    out.print(f"{len(new)} new files in {folder.resolve()}", soft_wrap=True)
    steps = [] if folder.resolve() == Path.cwd() else [f"cd {folder}"]
    steps += [
        "crisol wargame arena-zip-slip data/examples/wrong.diff",
        "crisol evaluate --data data/examples/patches.jsonl --group vulnerability --variant lightgbm",
        "crisol run experiments/compare_variants.yaml",
    ]
    out.print("Try next:\n" + "\n".join(f"  {step}" for step in steps), soft_wrap=True)


def doctor(as_json: Json = False) -> None:
    """Print which sandbox, stores and servers this machine has, and what does not work without each of them.

    Exit 0 even if one is missing.
    """
    from crisol.doctor import examine

    findings = list(examine(load_settings()))
    if as_json:
        emit([asdict(finding) for finding in findings])
        return
    table = Table("what", "found", "without it, or with another", box=None)
    for item in findings:
        table.add_row(item.name, Text(item.found, "green" if item.ok else "yellow"), item.cost)
    out.print(table)


def clean(
    releases: Annotated[
        bool, typer.Option("--releases", help="Also remove the releases downloaded from the package index.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove the files in data/cache: tables, verdicts and traces.

    Downloaded releases stay unless --releases is given. The runs, models and
    trials in mlruns always stay.
    """
    from crisol.lab import workspace

    settings = load_settings()
    going = list(workspace.leftovers(settings, releases=releases))
    if not dry_run:
        for leftover in going:
            workspace.remove(leftover)
    if as_json:
        emit({"removed": not dry_run, "leftovers": [asdict(leftover) for leftover in going]})
        return
    table = Table("what", "where", "MB", "to have it again", box=None)
    for leftover in going:
        megabytes = f"{leftover.size / 1e6:.1f}"
        table.add_row(leftover.what, str(leftover.path), megabytes, leftover.again)
    if going:
        out.print(table)
    total = sum(leftover.size for leftover in going) / 1e6
    done = "would go, nothing was removed" if dry_run else "removed"
    out.print(f"{len(going)} entries of {settings.cache}, {total:.1f} MB: {done}", soft_wrap=True)
    if not releases and (settings.cache / "releases").exists():
        out.print("downloaded releases stay, as the pypi corpus needs them; --releases takes them too")
