"""The load test for notebooks and the command line: start a service, put load on it, return its figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from crisol.config import Settings
from crisol.errors import ExperimentError
from crisol.loadtest.crosscheck import cross_check
from crisol.loadtest.material import Material, prepare
from crisol.loadtest.plan import MOST_SECONDS, LoadPlan, Loop, Shape
from crisol.loadtest.result import LoadResult
from crisol.loadtest.run import Load
from crisol.loadtest.service import serving
from crisol.loadtest.targets import parse_all

__all__ = ["FLOOR", "LoadMeasurement", "marks", "measure", "plan"]

FLOOR = (
    "p50_ms < 200",
    "p95_ms < 1000",
    "p99_ms < 3000",
    "errors < 0.001",
    "throughput > 100",
    "cache_hit_p50_ms < 5",
    "middleware_ms < 2",
    "hit_ratio > 0.8",
    "wrong_answers <= 0",
    "saturated <= 0",
)
"""What any load must reach; experiments ask for more."""

_SATURATED = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class LoadMeasurement:
    """The results of a load test.

    ``result`` holds the requests and figures of the planned load. ``saturation`` has a row for each tried
    rate: rate and throughput (both in requests a second; the rate as really sent), p50_ms, p99_ms, errors
    (share), and saturated: whether throughput was below 95 % of the rate. ``other`` is the table of
    :func:`~crisol.loadtest.crosscheck.cross_check`.
    """

    result: LoadResult
    saturation: pd.DataFrame
    other: pd.DataFrame


def plan(
    profile: str,
    *,
    requests: int,
    rate: float,
    seconds: float,
    connections: int,
    sources: int,
    zipf: float,
    seed: int,
    mix: tuple[tuple[str, float], ...] = (("ml-first", 1.0),),
    warm_up: float = 0.1,
) -> LoadPlan:
    """Return the load plan of a profile: ``closed``, or the shape of an open loop such as ``poisson``.

    The other parameters are those of :class:`~crisol.loadtest.plan.LoadPlan`; a closed profile ignores
    ``seconds`` and an open one ``requests``. Raises :class:`~crisol.errors.ExperimentError` for an unknown
    profile and :class:`~crisol.errors.SettingsError` for a value out of range.
    """
    profiles = (Loop.CLOSED.value, *Shape)
    if profile not in profiles:
        raise ExperimentError(f"no profile {profile!r}; there are {', '.join(profiles)}")
    closed = profile == Loop.CLOSED
    return LoadPlan(
        loop=Loop.CLOSED if closed else Loop.OPEN,
        shape=Shape.POISSON if closed else Shape(profile),
        requests=requests,
        rate=rate,
        # How long so many requests take is what a closed loop is to tell.
        seconds=MOST_SECONDS if closed else seconds,
        connections=connections,
        sources=sources,
        zipf=zipf,
        mix=mix,
        warm_up=warm_up,
        timeout=30.0,
        seed=seed,
    )


def measure(
    settings: Settings,
    frame: pd.DataFrame,
    load: LoadPlan,
    *,
    rates: Sequence[float] = (),
    rate_seconds: float = 3.0,
    targets: Sequence[str] = FLOOR,
) -> LoadMeasurement:
    """Start a service, send it patches of a corpus table by ``load``, then at each of ``rates``.

    ``frame`` is the corpus table. ``rates`` are open loops in requests a second, each for ``rate_seconds``;
    if it is empty, the table saturation has no rows. Finally :func:`~crisol.loadtest.crosscheck.cross_check`
    runs for ``rate_seconds`` a client. ``targets`` are texts of load targets. They are only parsed here, so
    that a malformed one is refused before any load (:class:`~crisol.errors.ExperimentError`); compare them
    with :func:`crisol.loadtest.targets.check`. Before ``load`` the caches are empty.
    """
    parse_all(targets)
    material = prepare(settings, frame, load.seed)
    with serving(settings, model=material.model, policy=material.policy) as service:
        result = Load(service.url, material, load, pid=service.pid).finish()
        rows = [
            _step(
                service.url,
                service.pid,
                material,
                replace(load, loop=Loop.OPEN, rate=rate, seconds=rate_seconds),
            )
            for rate in rates
        ]
        wrk = cross_check(service.url, material, load, rate_seconds)
    columns = ["rate", "throughput", "p50_ms", "p99_ms", "errors", "saturated"]
    return LoadMeasurement(result, pd.DataFrame(rows, columns=columns), wrk)


def marks(targets: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the upper bounds on latency percentiles among the load targets, for a plot.

    Maps the text of the load target to (percentile, milliseconds); other targets are left out.

    >>> marks(["p99_ms < 300", "errors < 0.001", "p99.9_ms < 900"])
    {'p99_ms < 300': (99.0, 300.0), 'p99.9_ms < 900': (99.9, 900.0)}
    """
    bounds = {}
    for target in parse_all(targets):
        percentile = re.fullmatch(r"p([\d.]+)_ms", target.measure)
        if percentile is not None and target.operator in {"<", "<="}:
            bounds[str(target)] = (float(percentile[1]), target.bound)
    return bounds


def _step(url: str, pid: int, material: Material, step: LoadPlan) -> dict[str, object]:
    metrics = Load(url, material, replace(step, shape=Shape.POISSON), pid=pid).finish().metrics
    row: dict[str, object] = {name: metrics[name] for name in ("throughput", "p50_ms", "p99_ms", "errors")}
    # What was really offered: a Poisson process of a few seconds strays from its rate.
    return {
        "rate": metrics["offered"],
        **row,
        "saturated": metrics["throughput"] < _SATURATED * metrics["offered"],
    }
