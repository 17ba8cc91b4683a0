"""The command line: it shows what the packages below yield, and decides nothing itself."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli import ab, corpus, db, demo, model, models, proving, runs, serve, triage, ui
from crisol.cli.console import Exit, Recount, Strip, log_to_stderr, out
from crisol.cli.console import run as run_command
from crisol.config import load_settings
from crisol.errors import NoInput, SettingsError, UnknownVulnerability
from crisol.records import Outcome, Strength

__all__ = ["main"]

_HELP = """Wargame security patches, and predict how the wargame would end.

Exit codes: 0 valid or done, 1 invalid (or the answer is no), 2 not judged, 64 wrong use, 65 damaged
content, 66 no input, 69 not available, 70 a fault of Crisol's own, 73 cannot create, 74 output not
written, 130 interrupted, 143 ended.
"""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpus.app, name="corpus")
app.command()(demo.demo)
app.command()(model.evaluate)
app.command()(model.predict)
app.command()(model.promote)
app.command()(model.retrain)
app.command()(serve.serve)
app.command()(proving.loadtest)
app.command()(proving.chaos)
app.command()(triage.triage)
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")
app.command()(ui.ui)
app.add_typer(ab.app, name="ab")
app.add_typer(db.app, name="db")

_EXIT = {
    Outcome.VALID: Exit.VALID,
    Outcome.INVALID: Exit.INVALID,
    Outcome.INCONCLUSIVE: Exit.NOT_JUDGED,
}
_COLOUR = {Outcome.VALID: "green", Outcome.INVALID: "red", Outcome.INCONCLUSIVE: "yellow"}


def main() -> None:
    """Run the command line; an error prints one line and sets the exit code."""
    # As on Ctrl-C: the command ends its processes and removes its temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.TERMINATED))
    log_to_stderr()
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


@app.command()
def doctor() -> None:
    """Print which sandbox, stores and servers this machine has, and what each missing one costs."""
    from crisol.doctor import examine

    table = Table("what", "found", "without it", box=None)
    for item in examine(load_settings()):
        table.add_row(item.name, Text(item.found, "green" if item.ok else "yellow"), item.cost)
    out.print(table)


@app.command()
def wargame(
    vulnerability: Annotated[str, typer.Argument(help="An id, or the path of a vulnerability folder.")],
    patch: Annotated[Path, typer.Argument(help="A unified diff; - reads standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as one JSON document.")] = False,
    sandbox: Annotated[str, typer.Option(help="auto, bubblewrap, namespaces, or weak (no isolation).")] = "",
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Repeat a wargame by the seed that its verdict tells."),
    ] = None,
    strip: Strip = None,
    recount: Recount = False,
    fuzz: Annotated[int, typer.Option(help="Refused: a patch is judged where all its context stands.")] = 0,
) -> None:
    """Run the exploit against a patch; exit 0 valid, 1 invalid, 2 not judged, 64 and above for wrong use."""
    from crisol.diff import ReadOptions
    from crisol.sandbox import choose
    from crisol.wargaming.referee import open_match
    from crisol.wargaming.vulnerability import find, load

    settings = load_settings()
    folder = Path(vulnerability)
    if (folder / "vulnerability.toml").is_file():
        subject = load(folder)
    elif folder.is_dir():
        raise UnknownVulnerability(f"{folder} holds no vulnerability.toml; see docs/vulnerability-format.md")
    else:
        (subject,) = find(settings.search_path, only=[vulnerability])
    if fuzz:
        raise SettingsError(
            "--fuzz: no fuzz is taken, since a hunk laid where its context differs may mend another place; "
            "apply the patch with patch(1), look at it, and send git diff"
        )
    text = _read(patch)
    with open_match(subject, choose(sandbox or settings.sandbox), settings.cache, seed=seed) as match:
        steps = match.phases(text, ReadOptions(strip, recount))
        verdict = None
        while verdict is None:
            try:
                phase = next(steps)
            except StopIteration as stop:
                verdict = stop.value
                break
            if not as_json:
                mark, colour = ("pass", "green") if phase.reason is None else (str(phase.reason), "red")
                words = Text.assemble(
                    f"  {phase.name:<14} ", (f"{mark:<20}", colour), f" {phase.seconds * 1000:8.1f} ms"
                )
                out.print(words)
                if phase.detail:
                    out.print(f"                 {phase.detail}", soft_wrap=True)
    assert verdict is not None
    if as_json:
        print(json.dumps(_verdict(subject.id, verdict)))  # noqa: T201 - machines read this
    else:
        reason = f" ({verdict.reason})" if verdict.reason else ""
        basic = verdict.outcome_at(Strength.BASIC)
        note = f", {basic} by PoV and checks alone" if basic is not verdict.outcome else ""
        outcome = (str(verdict.outcome), f"bold {_COLOUR[verdict.outcome]}")
        out.print(Text.assemble(outcome, f"{reason}{note}  {verdict.seconds:.3f} s in {verdict.sandbox}"))
    raise typer.Exit(_EXIT[verdict.outcome])


@app.command()
def run(
    experiment: Annotated[Path, typer.Argument(help="A file of experiments/.")],
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-P", help="name=value")] = None,
) -> None:
    """Run an experiment's notebook with papermill and log it to MLflow."""
    from crisol.lab import experiment as experiments
    from crisol.lab import papermill

    overrides = experiments.overrides(parameter or [])
    result = papermill.run(experiments.load_experiment(experiment), overrides, load_settings())
    out.print(f"executed notebook: {result.notebook}\nMLflow run: {result.run_id}")


def _read(path: Path) -> bytes:
    if str(path) != "-":
        try:
            return path.read_bytes()
        except OSError as error:
            raise NoInput(f"{path}: {error.strerror}") from None
    if sys.stdin is None:
        raise NoInput("standard input is closed; name the file of the patch")
    try:
        return sys.stdin.buffer.read(1 << 21)
    except OSError as error:
        raise NoInput(f"standard input: {error.strerror}") from None


def _verdict(vulnerability: str, verdict: Any) -> dict[str, Any]:
    return {
        "vulnerability": vulnerability,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "basic_outcome": verdict.outcome_at(Strength.BASIC),
        "seconds": verdict.seconds,
        "sandbox": verdict.sandbox,
        "seed": verdict.seed,
        "phases": [asdict(phase) for phase in verdict.phases],
    }
