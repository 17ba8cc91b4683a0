"""The command line: it shows what the packages below yield, and decides nothing itself."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from crisol.cli import ab, corpus, db, demo, model, proving, serve, triage
from crisol.cli.console import Recount, Strip, err, out
from crisol.config import load_settings
from crisol.errors import CrisolError, SettingsError, UnknownVulnerability
from crisol.records import Outcome, Strength

__all__ = ["main"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
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
app.add_typer(ab.app, name="ab")
app.add_typer(db.app, name="db")

_EXIT = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.INCONCLUSIVE: 2}
_COLOUR = {Outcome.VALID: "green", Outcome.INVALID: "red", Outcome.INCONCLUSIVE: "yellow"}


def main() -> None:
    """Run the command line; errors of Crisol's own print one line and set the exit code."""
    try:
        code = app(standalone_mode=False)
    except CrisolError as error:
        err.print(f"[bold red]crisol:[/] {type(error).__name__}: ", end="")
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:  # click's usage errors know how to show themselves
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        sys.exit(64)
    sys.exit(code if isinstance(code, int) else 0)


@app.command()
def doctor() -> None:
    """Say what this machine has, and what each missing thing costs."""
    from crisol.doctor import examine

    table = Table("what", "found", "without it", box=None)
    for item in examine(load_settings()):
        table.add_row(
            item.name, f"[green]{item.found}[/]" if item.ok else f"[yellow]{item.found}[/]", item.cost
        )
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
    from crisol.diff import Reading
    from crisol.sandbox import choose
    from crisol.wargame.referee import open_match
    from crisol.wargame.vulnerability import find, load

    settings = load_settings()
    folder = Path(vulnerability)
    if (folder / "vulnerability.toml").is_file():
        subject = load(folder)
    elif folder.is_dir():
        raise UnknownVulnerability(f"{folder} holds no vulnerability.toml; see docs/vulnerability-format.md")
    else:
        (subject,) = find(settings.vulnerabilities, only=[vulnerability])
    if fuzz:
        raise SettingsError(
            "--fuzz: no fuzz is taken, since a hunk laid where its context differs may mend another place; "
            "apply the patch with patch(1), look at it, and send git diff"
        )
    text = _read(patch)
    with open_match(subject, choose(sandbox or settings.sandbox), settings.cache, seed=seed) as match:
        steps = match.phases(text, Reading(strip, recount))
        verdict = None
        while verdict is None:
            try:
                phase = next(steps)
            except StopIteration as stop:
                verdict = stop.value
                break
            if not as_json:
                mark = "[green]pass[/]" if phase.reason is None else f"[red]{phase.reason}[/]"
                out.print(f"  {phase.name:<14} {mark:<28} {phase.seconds * 1000:8.1f} ms")
                if phase.detail:
                    out.print(f"                 {phase.detail}", markup=False, soft_wrap=True)
    assert verdict is not None
    if as_json:
        print(json.dumps(_verdict(subject.id, verdict)))  # noqa: T201 - machines read this
    else:
        reason = f" ({verdict.reason})" if verdict.reason else ""
        basic = verdict.outcome_at(Strength.BASIC)
        note = f", {basic} by PoV and checks alone" if basic is not verdict.outcome else ""
        colour = _COLOUR[verdict.outcome]
        out.print(
            f"[bold {colour}]{verdict.outcome}[/]{reason}{note}  {verdict.seconds:.3f} s in {verdict.sandbox}"
        )
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
    result = papermill.run(experiments.load(experiment), overrides, load_settings())
    out.print(f"executed notebook: {result.notebook}\nMLflow run: {result.run_id}", markup=False)


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000) -> None:
    """Open the MLflow UI on the runs."""
    from crisol.tracking.runs import ui_command

    command, environment = ui_command(load_settings(), port)
    out.print(f"http://127.0.0.1:{port}/?workflowType=machine_learning", markup=False)
    import subprocess

    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(1 << 21)
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


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
