"""Chaos tests for notebooks and the command line: inject faults one by one and check the expectations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from crisol.chaos.clock import ClockRefused, WallClock
from crisol.chaos.episode import Episode
from crisol.chaos.expectations import ALWAYS, expected, hold
from crisol.chaos.faults import FAULTS, chosen
from crisol.chaos.run import Schedule, material_of, suffer
from crisol.config import Settings
from crisol.loadtest import targets
from crisol.loadtest.targets import Checked
from crisol.servers.enclosure import Enclosure, EnclosureRefused
from crisol.tracking import load_plots

__all__ = ["Suffered", "drawn", "each", "metrics", "not_run", "table", "verdicts"]


@dataclass(frozen=True, slots=True, eq=False)
class Suffered:
    """The observations of one fault, and how they compare with the expectations.

    ``episode`` holds the observations; ``checked`` holds one result for each load target of the fault.
    """

    episode: Episode
    checked: tuple[Checked, ...]


def each(
    settings: Settings,
    frame: pd.DataFrame,
    names: Sequence[str],
    expectations: Sequence[str],
    schedule: Schedule,
) -> Iterator[Suffered]:
    """Inject faults one after the other, each into a new service under load; yield the result of each.

    ``settings`` says where vulnerabilities and the cache folder are. ``names`` are the names of the faults;
    empty means all that this machine can inject. ``frame`` is the corpus table with the patches to send;
    ``schedule`` gives the seconds of load. ``expectations`` are lines such as ``*: failed <= 0``. Raises
    :class:`~crisol.errors.ExperimentError`, before any load, for an unknown fault or a malformed line, and
    :class:`~crisol.errors.UnavailableError` if a server or the service does not start, or if this machine
    cannot inject a fault.
    """
    refused = {} if names else _refusals()
    faults = chosen(list(names) or [name for name in FAULTS if name not in refused])
    for fault in faults:
        expected([*ALWAYS, *expectations], fault.name)
    material = material_of(settings, frame, schedule.seed)
    for fault in faults:
        episode = suffer(settings, material, fault, schedule)
        yield Suffered(episode, tuple(hold(expectations, fault.name, episode.metrics)))


def table(suffered: Sequence[Suffered]) -> pd.DataFrame:
    """Return a table with a row for each injected fault, in the order of ``suffered``.

    ``suffered`` are the results of :func:`each`. The columns are ``fault`` (its name) and the figures of
    :attr:`~crisol.chaos.episode.Episode.metrics`.
    """
    return pd.DataFrame(
        [{"fault": result.episode.fault.name, **result.episode.metrics} for result in suffered]
    )


def verdicts(suffered: Sequence[Suffered]) -> pd.DataFrame:
    """Return a table with a row for each load target of each injected fault, in the order of ``suffered``.

    ``suffered`` are the results of :func:`each`, at least one. The columns are ``fault`` (its name),
    ``target`` (the load target as text), ``measured`` (the figure as a number) and ``result`` (``pass`` or
    ``FAIL``).
    """
    parts = [
        targets.table(result.checked).assign(fault=result.episode.fault.name)[
            ["fault", "target", "measured", "result"]
        ]
        for result in suffered
    ]
    return pd.concat(parts, ignore_index=True)


def metrics(suffered: Sequence[Suffered]) -> dict[str, float]:
    """Return the figures of all injected faults in one dict, under keys ``"<fault>.<figure>"``.

    ``suffered`` are the results of :func:`each`. Infinite figures are left out; NaN stays.
    """
    return {
        f"{result.episode.fault.name}.{name}": value
        for result in suffered
        for name, value in result.episode.metrics.items()
        if value != float("inf")
    }


def not_run() -> pd.DataFrame:
    """Return a table with a row for each fault that this machine cannot inject.

    The columns are ``fault`` (its name) and ``reason``. A fault that cannot be injected counts as not run,
    never as passed. The table is empty if the machine can inject all faults.
    """
    reasons = _refusals()
    return pd.DataFrame({"fault": list(reasons), "reason": list(reasons.values())})


def _refusals() -> dict[str, str]:
    """Return, by fault name, why this machine cannot inject a fault; faults that it can inject are absent."""
    reasons: dict[str, str] = {}
    try:
        with Enclosure(Path()):
            pass
    except EnclosureRefused as refused:
        reasons |= {fault.name: str(refused) for fault in FAULTS.values() if fault.disk or fault.enclosed}
    try:
        with tempfile.TemporaryDirectory(prefix="crisol-clock-") as folder:
            WallClock.made(Path(folder))
    except ClockRefused as refused:
        reasons |= {fault.name: str(refused) for fault in FAULTS.values() if fault.clocked}
    return reasons


def drawn(result: Suffered) -> Figure:
    """Return a plot of the latency over time under one fault, as a matplotlib figure.

    The time of the fault, and the times in which a circuit breaker was open, are shaded.
    """
    spans = [
        result.episode.span,
        *((start, end, f"{name} open") for start, end, name in result.episode.open_spans),
    ]
    return load_plots.latency_over_time(result.episode.timeline, spans)
