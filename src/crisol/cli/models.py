"""``crisol models``: show the registered model versions, and choose the champion."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import App, out
from crisol.config import load_settings
from crisol.errors import ModelError

__all__ = ["app"]

app = App(help="List the registered models, and say which one is champion.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """List the registered model versions, the latest first, with variant, aliases and gate."""
    from crisol.tracking.models import versions

    rows = versions(load_settings())
    if as_json:
        print(json.dumps([_document(model) for model in rows]))  # noqa: T201 - machines read this
        return
    if not rows:
        out.print("no model is registered; `crisol promote VARIANT` trains and registers one")
        return
    shown = Table("version", "variant", "vulnerabilities", "title", "gate", box=None)
    for model in rows:
        title = Text(", ".join(model.aliases), "green" if "champion" in model.aliases else "")
        gate = model.gate if model.gate in {"", "passed"} else "held back"
        shown.add_row(model.version, model.variant, str(model.vulnerabilities), title, gate)
    out.print(shown)


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="Number of a model version; default the champion.")] = "",
    as_json: Json = False,
) -> None:
    """Print the record of one model version: data, seed, gate, and the MLflow run that made it.

    Exit 69 if the version is not registered, or if none is given and there is no
    champion.
    """
    from crisol.tracking.models import holder, versions

    settings = load_settings()
    rows = versions(settings)
    wanted = version or getattr(holder(settings), "version", "")
    model = next((row for row in rows if row.version == wanted), None)
    if model is None:
        numbers = ", ".join(row.version for row in rows) or "none"
        missing = f"no version {wanted!r} is registered" if wanted else "no version is champion"
        raise ModelError(f"{missing}; there are {numbers}")
    if as_json:
        print(json.dumps(_document(model)))  # noqa: T201 - machines read this
        return
    shown = Table("what", "value", box=None, show_header=False)
    for name, value in _document(model).items():
        shown.add_row(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
    out.print(shown)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Number of a model version.")],
    force: Annotated[
        bool, typer.Option("--force", help="Make the version champion even if it did not pass its gate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a registered model version the champion.

    Exit 1 if the version did not pass its gate, or was trained on fewer
    vulnerabilities than the champion; --force makes it champion all the same.
    """
    from crisol.lab.promotion import promote_version

    result = promote_version(load_settings(), version, force=force)
    if as_json:
        print(json.dumps({"version": version, "promoted": result.promoted, "reason": result.reason}))  # noqa: T201 - machines read this
    else:
        out.print(result.reason, soft_wrap=True)
    raise typer.Exit(0 if result.promoted else 1)


@app.command()
def rollback() -> None:
    """Make the previous champion the champion again.

    A second call goes back to the champion before that. Exit 69 if there is no
    earlier champion.
    """
    from crisol.tracking.models import roll_back

    model = roll_back(load_settings())
    out.print(f"version {model.version} ({model.variant}) is champion again")


def _document(model: Any) -> dict[str, Any]:
    return {
        "version": model.version,
        "aliases": list(model.aliases),
        "run": model.run_id,
        **dict(sorted(model.tags.items())),
    }
