"""``crisol runs``: list the tracked runs, and compare two of them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from crisol.cli.console import App, out
from crisol.config import load_settings

__all__ = ["app"]

app = App(help="List the tracked runs, and compare two of them.")


@app.command("list")
def list_command(
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="Largest number of runs to list, the latest first.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the latest tracked runs, without the runs that are nested in another run."""
    from crisol.tracking.differences import listed

    rows = listed(load_settings(), limit)
    if as_json:
        print(json.dumps([asdict(row) for row in rows]))  # noqa: T201 - machines read this
        return
    if not rows:
        out.print("no runs yet; `crisol run experiments/compare_variants.yaml` makes one")
        return
    shown = Table("run", "name", "started", "state", "seed", "corpus", box=None)
    for row in rows:
        started = dt.datetime.fromtimestamp(row.started / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        shown.add_row(row.id[:8], row.name, started, row.status.lower(), row.seed, row.corpus)
    out.print(shown)


@app.command()
def diff(
    first: Annotated[
        str,
        typer.Argument(help="Id of a run, beginning of the id, or name of a run (the latest of that name)."),
    ],
    second: Annotated[
        str, typer.Argument(help="The other run, given likewise; NAME~1 is the run before the latest.")
    ],
) -> None:
    """Print, as Markdown, the parameters, code and metrics in which two tracked runs differ.

    A run is given by its id, by the beginning of its id, or by its name. NAME
    means the latest run of that name, NAME~1 the run before the latest. Exit 69 if
    no run or more than one run fits.
    """
    from crisol.tracking.differences import difference

    print(difference(load_settings(), first, second))  # noqa: T201 - Markdown goes on to a file as it is
