"""The command line: it shows what the packages below yield, and decides nothing itself."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from crisol.config import Settings, load_settings
from crisol.errors import CrisolError, UnknownVulnerability
from crisol.records import Outcome, Strength

__all__ = ["main"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
corpus_app = typer.Typer(no_args_is_help=True, help="Build, list, show and verify the executed ground truth.")
app.add_typer(corpus_app, name="corpus")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_EXIT = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.INCONCLUSIVE: 2}
_COLOUR = {Outcome.VALID: "green", Outcome.INVALID: "red", Outcome.INCONCLUSIVE: "yellow"}

Jobs = Annotated[int, typer.Option(help="Worker processes; 0 takes one per core.")]
Only = Annotated[list[str] | None, typer.Option(help="A vulnerability id; may be given more than once.")]


def main() -> None:
    """Run the command line; errors of Crisol's own print one line and set the exit code."""
    try:
        code = app(standalone_mode=False)
    except CrisolError as error:
        err.print(f"[bold red]crisol:[/] {type(error).__name__}: ", end="")
        err.print(str(error), markup=False)
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
    sandbox: Annotated[str, typer.Option(help="auto, namespaces, or weak (no isolation).")] = "",
) -> None:
    """Run the exploit against a patch; exit 0 valid, 1 invalid, 2 inconclusive, 64 and above for wrong use."""
    from crisol.wargame.referee import open_match
    from crisol.wargame.sandbox import choose
    from crisol.wargame.vulnerability import find, load

    settings = load_settings()
    folder = Path(vulnerability)
    if (folder / "vulnerability.toml").is_file():
        subject = load(folder)
    elif folder.is_dir():
        raise UnknownVulnerability(f"{folder} holds no vulnerability.toml; see docs/vulnerability-format.md")
    else:
        (subject,) = find(settings.vulnerabilities, only=[vulnerability])
    text = _read(patch)
    with open_match(subject, choose(sandbox or settings.crisol_sandbox), settings.cache) as match:
        steps = match.phases(text)
        verdict = None
        while verdict is None:
            try:
                phase = next(steps)
            except StopIteration as stop:
                verdict = stop.value
                break
            if not as_json:
                mark = "[green]pass[/]" if phase.reason is None else f"[red]{phase.reason}[/]"
                out.print(f"  {phase.name:<10} {mark:<28} {phase.seconds * 1000:8.1f} ms")
                if phase.reason is not None and phase.detail:
                    out.print(f"             {phase.detail}", markup=False)
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


@corpus_app.command("build")
def corpus_build(
    only: Only = None,
    jobs: Jobs = 0,
    mutants: Annotated[int, typer.Option(help="At most so many mutants a vulnerability.")] = 40,
    seed: Annotated[int, typer.Option(help="Chooses the mutants.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Where the table goes; default data/cache/corpus.parquet.")
    ] = None,
) -> None:
    """Judge every candidate of every vulnerability, or go on where a build stopped."""
    settings = load_settings()
    frame = _build(settings, only or [], jobs, mutants, seed, output)
    _composition(frame)


@corpus_app.command("list")
def corpus_list(table: Annotated[Path | None, typer.Option(help="A corpus table.")] = None) -> None:
    """Print the vulnerabilities and what is known of their candidates."""
    from crisol.wargame.corpus import load_table

    frame = load_table(table or load_settings().cache / "corpus.parquet")
    shown = Table("vulnerability", "cwe", "project", "candidates", "valid", "invalid", "basic only", box=None)
    for name, group in frame.groupby("vulnerability"):
        counts = group["outcome"].value_counts()
        basic = int(((group["basic_outcome"] == "valid") & (group["outcome"] == "invalid")).sum())
        row = [len(group), int(counts.get("valid", 0)), int(counts.get("invalid", 0)), basic]
        shown.add_row(str(name), group["cwe"].iloc[0], group["project"].iloc[0], *map(str, row))
    out.print(shown)
    _composition(frame)


@corpus_app.command("show")
def corpus_show(
    vulnerability: Annotated[str, typer.Argument(help="An id.")],
    table: Annotated[Path | None, typer.Option(help="A corpus table.")] = None,
) -> None:
    """Print every candidate of one vulnerability with its verdict."""
    from crisol.wargame.corpus import load_table

    frame = load_table(table or load_settings().cache / "corpus.parquet")
    rows = frame[frame["vulnerability"] == vulnerability]
    if rows.empty:
        raise UnknownVulnerability(f"the table has no candidates of {vulnerability!r}")
    shown = Table("candidate", "origin", "outcome", "reason", "ms", box=None)
    for row in rows.itertuples():
        milliseconds = f"{float(row.seconds) * 1000:.0f}"  # type: ignore[arg-type]  # pandas types a row's fields as Any
        shown.add_row(str(row.name), str(row.origin), str(row.outcome), str(row.reason), milliseconds)
    out.print(shown)


@corpus_app.command("verify")
def corpus_verify(
    only: Only = None,
    jobs: Jobs = 0,
    table: Annotated[Path | None, typer.Option(help="A corpus table.")] = None,
) -> None:
    """Execute every candidate again and report each label that changed; exit 1 if one did."""
    from crisol.wargame.corpus import Plan, load_table, reexecute
    from crisol.wargame.vulnerability import find

    settings = load_settings()
    frame = load_table(table or settings.cache / "corpus.parquet")
    chosen = find(settings.vulnerabilities, only=only or sorted(frame["vulnerability"].unique()))
    changed = total = 0
    for row in reexecute(frame, chosen, Plan(settings.cache, sandbox=settings.crisol_sandbox), jobs=jobs):
        total += 1
        if row.before != row.after:
            changed += 1
            out.print(f"{row.vulnerability} {row.name}: {row.before} became {row.after}", markup=False)
    out.print(f"{total} candidates executed again, {changed} labels changed")
    raise typer.Exit(1 if changed else 0)


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
def demo(
    jobs: Jobs = 0,
    seed: Annotated[int, typer.Option(help="Chooses mutants, folds and samples.")] = 0,
    mutants: Annotated[int, typer.Option(help="At most so many mutants a vulnerability.")] = 12,
) -> None:
    """Do the main job: a slice of ground truth, the model variants, the A/B experiment, the report."""
    from crisol.lab import demo as lab_demo

    settings = load_settings()
    frame = _build(settings, [], jobs, mutants, seed, None)
    _composition(frame)
    result = lab_demo.run(settings, frame, seed)
    shown = Table(
        "variant", "AUC by vulnerability [95 %]", "false accepts", "wargames saved", "wargames/s", box=None
    )
    for row in result.table.to_dict("records"):
        interval = f"[{row['auc_low']:.3f}-{row['auc_high']:.3f}]"
        # The wargame itself, the last row, has no AUC.
        auc = "-" if math.isnan(row["auc"]) else f"{row['auc']:.3f} {interval}"
        shares = (
            f"{row['false_accept_rate']:.1%}",
            f"{row['saved']:.1%}",
            f"{row['wargames_per_second']:.1f}",
        )
        shown.add_row(str(row["variant"]), auc, *shares)
    out.print(shown)
    out.print(f"report: {result.report}\nMLflow: make ui  (crisol ui)", markup=False)


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000) -> None:
    """Open the MLflow UI on the runs."""
    from crisol.lab.tracking import ui_command

    command, environment = ui_command(load_settings(), port)
    out.print(f"http://127.0.0.1:{port}/?workflowType=machine_learning", markup=False)
    import subprocess

    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


def _build(
    settings: Settings, only: list[str], jobs: int, mutants: int, seed: int, output: Path | None
) -> Any:
    import pandas as pd

    from crisol.wargame.corpus import Plan, build, save_table
    from crisol.wargame.sandbox import choose
    from crisol.wargame.vulnerability import find

    choose(settings.crisol_sandbox)
    chosen = find(settings.vulnerabilities, only=only)
    plan = Plan(settings.cache, mutants, seed, settings.crisol_sandbox)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    frames, missing, count = [], [], 0
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("wargames", total=len(chosen), rate="")
        for shard in build(chosen, plan, jobs=jobs):
            count += len(shard.rows)
            rate = count / max(progress.tasks[0].elapsed or 0.0, 1e-9)
            progress.update(task, advance=1, rate=f"{count} candidates, {rate:.0f}/s")
            if shard.missing:
                missing.append(shard)
            else:
                frames.append(shard.rows)
    if missing:
        err.print(
            f"{len(missing)} vulnerabilities left out ({missing[0].missing}); going on with {len(frames)}",
            markup=False,
        )
    frame = pd.concat(frames, ignore_index=True).sort_values(
        ["vulnerability", "origin", "name"], ignore_index=True
    )
    save_table(frame, output or settings.cache / "corpus.parquet")
    return frame


def _composition(frame: Any) -> None:
    counts = frame["outcome"].value_counts()
    origins = ", ".join(f"{count} {origin}" for origin, count in frame["origin"].value_counts().items())
    vulnerabilities = frame.groupby("corpus")["vulnerability"].nunique()
    corpora = ", ".join(f"{count} {corpus}" for corpus, count in vulnerabilities.items())
    basic = int(((frame["basic_outcome"] == "valid") & (frame["outcome"] == "invalid")).sum())
    out.print(
        f"{len(frame)} candidates of {corpora} vulnerabilities, {frame['cwe'].nunique()} CWEs: "
        f"{counts.get('valid', 0)} valid, {counts.get('invalid', 0)} invalid, "
        f"{counts.get('inconclusive', 0)} inconclusive; {origins}; {basic} pass PoV and checks but fail the strict gate",
        markup=False,
    )


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
        "phases": [asdict(phase) for phase in verdict.phases],
    }
