"""``crisol db``: show and apply the schema migrations of the database of trials."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import App, Json, emit, out
from crisol.config import load_settings

__all__ = ["app"]

app = App(help="Show and apply the migrations of the trials' database.")


@app.command()
def status(as_json: Json = False) -> None:
    """Print each schema migration of the trials' database, and when it was applied or that it is missing.

    Exit 1 if a migration is missing.
    """
    from crisol.backends import migrate
    from crisol.wiring import open_database

    with closing(open_database(load_settings())) as database:
        steps = migrate.status(database)
    missing = any(step.applied_at is None for step in steps)
    if as_json:
        emit([asdict(step) for step in steps])
        raise typer.Exit(missing)
    shown = Table("migration", "name", "applied", box=None)
    for step in steps:
        applied = (
            Text("missing", "yellow")
            if step.applied_at is None
            else Text(f"{step.applied_at:%Y-%m-%d %H:%M:%S} UTC")
        )
        shown.add_row(f"{step.number:04d}", step.name, applied)
    out.print(shown)
    raise typer.Exit(missing)


@app.command()
def upgrade() -> None:
    """Apply the schema migrations that the trials' database lacks, and print their names.

    If none is missing, nothing is changed. Several processes may run this command
    at the same time.
    """
    from crisol.backends import migrate
    from crisol.wiring import open_database

    with closing(open_database(load_settings())) as database:
        applied = migrate.upgrade(database)
    for migration in applied:
        out.print(f"applied {migration.number:04d} {migration.name}")
    if not applied:
        out.print("nothing to apply")
