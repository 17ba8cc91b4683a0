"""Load tests for notebooks and the command line: start a service, put load on it, return the figures."""

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
"""The load targets of every load test; experiments add stricter ones."""

_SATURATED = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class LoadMeasurement:
    """The results of a load test, and of shorter loads at other rates after it.

    ``result`` is the result of the planned load. ``saturation`` has a row for each shorter load, with the
    columns ``rate`` (requests a second, as really sent), ``throughput`` (answers with status 200 a second),
    ``p50_ms`` and ``p99_ms`` (latency in milliseconds), ``errors`` (share of the requests) and ``saturated``
    (True if the throughput was below 95 % of the rate). ``other`` is the comparison with the load generator
    wrk, the table of :func:`~crisol.loadtest.crosscheck.cross_check`.
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
    """Return the load plan of ``profile``: ``closed``, or the shape of an open loop such as ``poisson``.

    The shapes are ``constant``, ``poisson``, ``ramp``, ``spike`` and ``soak``, see :class:`Shape`. A closed
    loop ends after ``requests``, at the latest after an hour; it ignores ``rate`` and ``seconds``. An open
    loop sends ``rate`` requests a second for ``seconds``; it ignores ``requests``. ``connections`` is the
    number of connections, ``sources`` the number of loopback addresses from which they come, ``zipf`` the
    exponent of the patches' popularity, and ``mix`` lists the routes with their shares of the requests.
    ``warm_up`` is the share of the load, at its beginning, that is left out of the figures; ``seed`` seeds
    all random choices. Raises :class:`~crisol.errors.ExperimentError` for an unknown profile and
    :class:`~crisol.errors.SettingsError` for a value out of range.
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
        # A closed loop measures how long its requests take, so its time is not limited.
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
    """Start a service, send it the load of a plan and then loads at other rates, and return all figures.

    ``settings`` says where vulnerabilities and the cache folder are, ``frame`` is the corpus table with the
    patches to send, and ``load`` is the plan. After that load, each of ``rates``, in requests a second, is
    sent in an open loop of ``rate_seconds``. At the end the load generator wrk sends the patches that were
    answered before, for comparison; if wrk is not installed, the comparison has no rows. ``targets`` are
    texts of load targets such as ``p95_ms < 1000``, by default :data:`FLOOR`, the load targets of every load
    test. They are only parsed here; the caller compares them with the figures. Raises
    :class:`~crisol.errors.ExperimentError` for a malformed target, before any load,
    :class:`~crisol.errors.DatasetError` for a table without both valid and invalid patches, and
    :class:`~crisol.errors.UnavailableError` if the service does not start or a process
    that sends requests fails.
    """
    parse_all(targets)
    material = prepare(settings, frame, load.seed)
    with serving(settings, model=material.model, policy=material.policy) as service:
        first = Load(service.url, material, load, pid=service.pid)
        result = first.finish()
        rows = [
            _step(
                service.url,
                service.pid,
                material,
                replace(load, loop=Loop.OPEN, rate=rate, seconds=rate_seconds),
            )
            for rate in rates
        ]
        # A patch that waits for its first wargame would tell of the service, and not of the two clients.
        answered = {first.asked(which)[1]: None for which in result.samples["which"].unique()}
        wrk = cross_check(service.url, replace(material, items=tuple(answered)), load, rate_seconds)
    columns = ["rate", "throughput", "p50_ms", "p99_ms", "errors", "saturated"]
    return LoadMeasurement(result, pd.DataFrame(rows, columns=columns), wrk)


def marks(targets: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the upper bounds that load targets set for percentiles of the latency, to mark them in a plot.

    ``targets`` are texts of load targets. The result maps each target that bounds a percentile from above, as
    a text with single spaces, to (percentile, milliseconds); all other targets are left out. Raises
    :class:`~crisol.errors.ExperimentError` for a malformed text.

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
    # This is the real rate: a Poisson process of a few seconds differs from its nominal rate.
    return {
        "rate": metrics["offered"],
        **row,
        "saturated": metrics["throughput"] < _SATURATED * metrics["offered"],
    }
