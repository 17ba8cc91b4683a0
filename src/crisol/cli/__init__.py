"""The command line ``crisol``: its commands print the results of the other packages."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from crisol.cli import (
    ab,
    corpus,
    db,
    demo,
    experiment,
    judge,
    model,
    models,
    predict,
    proving,
    runs,
    serve,
    triage,
    ui,
    vulnerability,
    workspace,
)
from crisol.cli.console import App, log_to_stderr
from crisol.cli.endings import Exit
from crisol.cli.endings import run as run_command

__all__ = ["main"]

_HELP = (
    "Crisol tells which security patches really fix a vulnerability. It runs the exploit against each one "
    "(the wargame), learns from the verdicts to predict the next ones, and says how far that can be trusted."
)
_EXIT_CODES = (
    "Exit codes: 0 valid or done, 1 invalid (or the answer is no), 2 not judged, 64 wrong use, 65 damaged "
    "content, 66 no input, 69 not available, 70 a fault of Crisol's own, 73 cannot create, 74 output not "
    "written, 130 interrupted, 143 terminated."
)

app = App(help=_HELP, epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})

_JUDGE = "Judge patches"
app.command(rich_help_panel=_JUDGE)(judge.wargame)
app.command(rich_help_panel=_JUDGE)(triage.triage)
app.command(rich_help_panel=_JUDGE)(predict.predict)

_BRING = "Ground truth"
app.add_typer(vulnerability.app, name="vulnerability", rich_help_panel=_BRING)
app.add_typer(corpus.app, name="corpus", rich_help_panel=_BRING)

_MODELS = "Models and A/B testing"
app.command(rich_help_panel=_MODELS)(model.evaluate)
app.command(rich_help_panel=_MODELS)(model.promote)
app.command(rich_help_panel=_MODELS)(model.retrain)
app.add_typer(models.app, name="models", rich_help_panel=_MODELS)
app.add_typer(ab.app, name="ab", rich_help_panel=_MODELS)

_EXPERIMENTS = "Experiments"
app.command(rich_help_panel=_EXPERIMENTS)(demo.demo)
app.command(rich_help_panel=_EXPERIMENTS)(experiment.run)
app.add_typer(experiment.new, name="new", rich_help_panel=_EXPERIMENTS)
app.add_typer(runs.app, name="runs", rich_help_panel=_EXPERIMENTS)
app.command(rich_help_panel=_EXPERIMENTS)(ui.ui)

_SERVICE = "The service"
app.command(rich_help_panel=_SERVICE)(serve.serve)
app.command(rich_help_panel=_SERVICE)(proving.loadtest)
app.command(rich_help_panel=_SERVICE)(proving.chaos)
app.add_typer(db.app, name="db", rich_help_panel=_SERVICE)

_WORKSPACE = "The workspace"
app.command(rich_help_panel=_WORKSPACE)(workspace.init)
app.command(rich_help_panel=_WORKSPACE)(workspace.doctor)
app.command(rich_help_panel=_WORKSPACE)(workspace.clean)


def main() -> None:
    """Run the command line ``crisol`` with the process's arguments, and end the process with its exit code.

    An error is printed as one line on standard error, without a traceback.
    """
    # As on Ctrl-C: the command ends its processes and removes its temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.TERMINATED))
    log_to_stderr()
    # The kernels of notebooks and the workers of a service may start in other folders.
    for name in ("CRISOL_ROOT", "CRISOL_MODEL", "CRISOL_METRICS", "CRISOL_VULNERABILITIES"):
        if paths := os.environ.get(name):
            folders = (path and str(Path(path).expanduser().absolute()) for path in paths.split(os.pathsep))
            os.environ[name] = os.pathsep.join(folders)
    sys.exit(run_command(lambda: app(standalone_mode=False, prog_name="crisol")))


def _version(requested: bool) -> None:
    if requested:
        print(f"crisol {version('crisol')}")  # noqa: T201 - machines read this
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
