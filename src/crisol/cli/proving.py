"""``crisol loadtest`` and ``crisol chaos``: test the service under load and with faults."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from crisol.cli.console import Json, emit, err, out
from crisol.cli.progress import progress
from crisol.config import load_settings
from crisol.records import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from crisol.chaos.study import Suffered
    from crisol.config import Settings
    from crisol.loadtest.targets import Checked
    from crisol.tracking.runs import TrackedRun

__all__ = ["chaos", "loadtest"]

_SHOWN = (
    "requests", "throughput", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99.9_ms", "max_ms", "errors",
    "hit_ratio", *(f"share_{source}" for source in Source), "cache_hit_p50_ms", "middleware_ms",
    "server_cores", "server_memory_mb", "send_lag_p99_ms", "client_cpu", "other_cores",
)  # fmt: skip


def loadtest(
    profile: Annotated[str,
        typer.Option(
            help="Load profile: closed, or one of the open loop: constant, poisson, ramp, spike or soak."
        )] = "closed",
    requests: Annotated[int, typer.Option(help="Number of requests in the closed profile.")] = 1_000,
    connections: Annotated[int, typer.Option(help="Largest number of connections open at a time.")] = 50,
    rate: Annotated[float, typer.Option(help="Requests a second in the open-loop profiles.")] = 100.0,
    seconds: Annotated[float,
        typer.Option(help="Duration of the load in the open-loop profiles, in seconds.")] = 10.0,
    sources: Annotated[int, typer.Option(help="Number of loopback addresses that send requests.")] = 1,
    zipf: Annotated[float,
        typer.Option(help="Exponent of the patches' Zipf distribution; 0: all equally frequent.")] = 1.0,
    mix: Annotated[list[str] | None,
        typer.Option(
            help="Share of an endpoint, such as validate=0.1; repeatable; default ml-first alone."
        )] = None,
    target: Annotated[list[str] | None,
        typer.Option(
            help="Additional load target, such as 'p95_ms < 100'; may be given more than once."
        )] = None,
    corpus: Annotated[Path | None,
        typer.Option(
            help="Corpus table with the patches to send; default those of three arena programs."
        )] = None,
    seed: Annotated[int,
        typer.Option(min=0, max=2**32 - 1, help="Seed by which times and patches are drawn.")] = 0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Start a service, put load on it, and compare the figures with load targets; exit 1 if one is missed.

    In the closed profile each of --connections sends its next request after an
    answer, --requests in all. In the other profiles requests are sent at --rate a
    second for --seconds, whether or not answers come. --sources is the number of
    client addresses. --mix gives the share of an endpoint, ml-first or validate, in
    the requests and may be given more than once; --zipf is the exponent of the
    Zipf distribution of the patches.
    """
    from crisol.lab import ground_truth
    from crisol.loadtest import plan, targets
    from crisol.loadtest import study as lab
    from crisol.loadtest.material import prepare
    from crisol.loadtest.run import Load
    from crisol.loadtest.service import serving

    load_plan = lab.plan(
        profile, requests=requests, rate=rate, seconds=seconds, connections=connections, sources=sources,
        zipf=zipf, seed=seed, mix=plan.mix(mix or ["ml-first"]),
    )  # fmt: skip
    aims = targets.parse_all([*lab.FLOOR, *(target or [])])
    settings = load_settings()
    with err.status("executing the patches once, so that every answer has a truth to be held against"):
        frame = ground_truth.open_corpus(settings, _from_here(corpus), seed)
        material = prepare(settings, frame, seed)
    with ExitStack() as stack:
        service = stack.enter_context(serving(settings, model=material.model, policy=material.policy))
        load = Load(service.url, material, load_plan, pid=service.pid)
        bar = stack.enter_context(progress())
        task = bar.add_task("requests", total=load.planned, note="")
        for now in load.run():
            bar.update(task, completed=now.done, note=f"{now.failed} failed")
    checked = targets.check(aims, load.result.metrics)
    given = {
        "profile": profile, "requests": requests, "connections": connections, "rate": rate,
        "seconds": seconds, "sources": sources, "zipf": zipf, "mix": mix or ["ml-first"], "seed": seed,
    }  # fmt: skip

    def write(run: TrackedRun) -> None:
        from crisol.lab.tracked_load import log_load

        log_load(run, load.result, [str(aim) for aim in aims])

    _log(settings, "load_test", given, (frame, _from_here(corpus)), write)
    if as_json:
        missed = [str(figure.target) for figure in checked if not figure.passed]
        document = {"metrics": load.result.metrics, "errors": load.result.errors, "missed": missed}
        emit(document)
    else:
        _show(load.result.metrics, load.result.errors, checked)
    targets.require(checked)


def _show(metrics: dict[str, float], errors: dict[str, int], checked: list[Checked]) -> None:
    figures = Table("measure", box=None)
    figures.add_column("value", justify="right")
    for name in _SHOWN:
        figures.add_row(name, f"{metrics.get(name, float('nan')):,.4g}")
    for kind, count in errors.items():
        figures.add_row(Text(f"failed: {kind}", "red"), str(count))
    out.print(figures)
    aims = Table("target", box=None)
    aims.add_column("measured", justify="right")
    aims.add_column("")
    for figure in checked:
        aims.add_row(str(figure.target), f"{figure.value:,.4g}", _mark(figure))
    out.print(aims)


def _from_here(corpus: Path | None) -> str:
    # open_corpus would resolve a relative path from the workspace, not from the current folder.
    return "" if corpus is None else str(corpus.resolve())


def _mark(target: Checked) -> Text:
    return Text("pass", "green") if target.passed else Text("FAIL", "bold red")


def chaos(
    fault: Annotated[list[str] | None,
        typer.Argument(help="Names of the faults to inject; default all.")] = None,
    expect: Annotated[list[str] | None,
        typer.Option(
            help="Additional expectation, such as 'redis_killed: failed <= 0'; may be given more than once."
        )] = None,
    calm: Annotated[float, typer.Option(min=0.5, max=600, help="Seconds of load before the fault.")] = 3.0,
    lasting: Annotated[float, typer.Option(min=0.5, max=600, help="Seconds that the fault lasts.")] = 5.0,
    after: Annotated[float,
        typer.Option(
            min=0.5, max=600, help="Seconds of load after the fault and the breaker's open time."
        )] = 10.0,
    rate: Annotated[float,
        typer.Option(
            min=0.1, max=10_000, help="Requests a second before, during and after the fault."
        )] = 10.0,
    corpus: Annotated[Path | None,
        typer.Option(
            help="Corpus table with the patches to send; default those of three arena programs."
        )] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed by which patches are drawn.")] = 0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Inject faults under steady load, each into a service of its own; exit 1 if an expectation is missed.

    FAULT is a name such as redis_killed; after an unknown name the command prints
    all names and exits with 64. --calm and --lasting are the seconds before and
    during a fault. --after are the seconds after the fault, in addition to the
    time that a breaker stays open. --rate is the number of requests in a second.
    """
    from crisol.chaos import study
    from crisol.chaos.expectations import expected
    from crisol.chaos.faults import FAULTS, chosen
    from crisol.chaos.run import Schedule
    from crisol.lab import ground_truth
    from crisol.loadtest import targets

    # Errors in the arguments are reported before patches are executed.
    for injected in chosen(fault or list(FAULTS)):
        expected(expect or [], injected.name)
    settings = load_settings()
    frame = ground_truth.open_corpus(settings, _from_here(corpus), seed)
    schedule = Schedule(calm=calm, fault=lasting, after=after, rate=rate, seed=seed)
    checked: list[Checked] = []
    suffered = []
    for result in study.each(settings, frame, fault or [], expect or [], schedule):
        suffered.append(result)
        checked += result.checked
        if as_json:
            continue
        figures = "  ".join(f"{name} {value:.3g}" for name, value in result.episode.metrics.items())
        name = (result.episode.fault.name, "bold")
        out.print(Text.assemble(name, f"  {result.episode.fault.story}\n  {figures}"))
        for figure in result.checked:
            out.print(Text.assemble("  ", _mark(figure), f" {figure.target}"))
    given = {
        "faults": fault or [], "calm": calm, "lasting": lasting, "after": after, "rate": rate, "seed": seed,
    }  # fmt: skip

    def write(run: TrackedRun) -> None:
        run.metrics(study.metrics(suffered))
        run.table("chaos", study.table(suffered))

    _log(settings, "chaos", given, (frame, _from_here(corpus)), write)
    if as_json:
        emit([_document(result) for result in suffered])
    elif not fault:
        for row in study.not_run().to_dict("records"):
            out.print(Text.assemble(("not run", "yellow"), f" {row['fault']}: {row['reason']}"))
    targets.require(checked)


def _document(result: Suffered) -> dict[str, Any]:
    missed = [str(figure.target) for figure in result.checked if not figure.passed]
    return {"fault": result.episode.fault.name, "metrics": result.episode.metrics, "missed": missed}


def _log(
    settings: Settings,
    name: str,
    given: Mapping[str, Any],
    data: tuple[pd.DataFrame, str],
    write: Callable[[TrackedRun], object],
) -> None:
    """Log a new MLflow run: parameters (``given``), data, and the results that ``write`` stores in the run.

    If MLflow is not installed or its store fails, print a line on standard error and raise nothing. ``data``
    are the corpus table and its path, "" for the default table.
    """
    from crisol.errors import StoreError

    try:
        from crisol.tracking import runs
        from crisol.tracking.client import MlflowException
        from crisol.wargaming.corpus import content_hash
    except ModuleNotFoundError as error:
        err.print(f"not logged to MLflow: {error}", soft_wrap=True)
        return
    frame, corpus = data
    try:
        with runs.start(settings, name) as run:
            run.params(given)
            run.input("corpus", frame, content_hash(frame), corpus or "smoke")
            write(run)
    except (StoreError, MlflowException, OSError) as error:
        err.print(f"not logged to MLflow: {error}", soft_wrap=True)
