"""The plan of a load: number of requests, times, patches and sources. Pure and seeded.

>>> LoadPlan(loop=Loop.CLOSED, requests=1000, connections=50).problem() is None
True
>>> arrivals(Shape.CONSTANT, rate=2.0, seconds=2.0, seed=0).tolist()
[0.0, 0.5, 1.0, 1.5]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from crisol.errors import SettingsError

__all__ = [
    "MOST_REQUESTS",
    "MOST_SECONDS",
    "ROUTES",
    "LoadPlan",
    "Loop",
    "Shape",
    "arrivals",
    "mix",
    "popularity",
    "rate_at",
]

MOST_REQUESTS = 2_000_000
MOST_SECONDS = 3_600.0
ROUTES = {"ml-first": "/wargaming/ml-first", "validate": "/wargaming/validate"}
"""The routes under load, by short name."""

_RAMP, _SPIKE = 0.1, 5.0


class Loop(StrEnum):
    """The event that starts the next request: its planned time (open loop) or an answer (closed loop)."""

    OPEN = "open"
    """The clock starts requests; a slow server gets them all the same.

    Latency counts from the intended start.
    """
    CLOSED = "closed"
    """The previous answer on a connection starts the next request; a stalled server gets no more load."""


class Shape(StrEnum):
    """How the rate of an open loop changes over its duration.

    Constant requests are evenly spaced; all other shapes are Poisson processes.
    """

    CONSTANT = "constant"
    POISSON = "poisson"
    RAMP = "ramp"
    """From a tenth of the rate to the rate."""
    SPIKE = "spike"
    """Five times the rate in the middle fifth."""
    SOAK = "soak"
    """The rate for long, as Poisson: memory and latency must not drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The plan of a load test's requests.

    Raises :class:`~crisol.errors.SettingsError` for a value out of range. ``loop`` says what starts the next
    request. ``requests`` ends a closed loop; ``rate`` (requests a second) and ``shape`` plan an open one;
    ``seconds`` is the longest duration of both. ``warm_up`` is the share of the requests (closed) or of the
    time (open) that is sent but not counted. At most ``connections`` are open, from ``sources`` different
    loopback addresses. ``zipf`` is the exponent of the popularity of patches, 0 for uniform. ``mix`` pairs
    names of :data:`ROUTES` with their shares of the requests. ``spoofed`` is the number of false client
    addresses in ``X-Forwarded-For``, 0 for no such header. ``timeout`` is how long the client waits for an
    answer, in seconds. The same ``seed`` gives the same requests.
    """

    loop: Loop = Loop.CLOSED
    shape: Shape = Shape.POISSON
    requests: int = 1_000
    rate: float = 100.0
    seconds: float = 60.0
    connections: int = 50
    warm_up: float = 0.1
    sources: int = 1
    zipf: float = 1.0
    mix: tuple[tuple[str, float], ...] = (("ml-first", 1.0),)
    spoofed: int = 0
    timeout: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        problem = self.problem()
        if problem is not None:
            raise SettingsError(problem)

    def problem(self) -> str | None:
        """Return a message about the first value out of range, or None if all are in range."""
        bounds: dict[str, tuple[float, float]] = {
            "requests": (1, MOST_REQUESTS),
            "rate": (0.01, 100_000),
            "seconds": (0.1, MOST_SECONDS),
            "connections": (1, 10_000),
            "sources": (1, 65_000),
            "zipf": (0, 10),
            "spoofed": (0, 1 << 24),
            "timeout": (0.01, 600),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                return f"{name} is {getattr(self, name)}, not within {low:g}..{high:g}"
        if not 0 <= self.warm_up < 1:
            return f"warm_up is {self.warm_up}, not within 0..1"
        unknown = [name for name, _ in self.mix if name not in ROUTES]
        if unknown or not self.mix or any(share <= 0 for _, share in self.mix):
            return f"mix {self.mix}: give positive shares of {', '.join(ROUTES)}"
        if self.loop is Loop.OPEN and 5 * self.rate * self.seconds > MOST_REQUESTS:
            return f"{self.rate:g} requests a second for {self.seconds:g} s may be more than {MOST_REQUESTS}"
        return None

    def schedule(self) -> NDArray[np.float64] | None:
        """Return the intended starts of an open loop, in seconds from the beginning, shape (n,).

        The result is None for a closed loop, in which each answer starts the next request.
        """
        if self.loop is Loop.CLOSED:
            return None
        return arrivals(self.shape, rate=self.rate, seconds=self.seconds, seed=self.seed)


def rate_at(shape: Shape, rate: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate of a load of this shape at given moments.

    ``share`` holds the moments as shares of the load's duration, 0 to 1. ``rate`` is that of
    :func:`arrivals`. The result has the unit of ``rate`` and an entry for each moment.
    """
    if shape is Shape.RAMP:
        return rate * (_RAMP + (1 - _RAMP) * share)
    if shape is Shape.SPIKE:
        return np.where((share >= 0.4) & (share < 0.6), _SPIKE * rate, rate)
    return np.full_like(share, rate)


def arrivals(shape: Shape, *, rate: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Return the planned starts of requests, in seconds from the beginning, ascending, shape (n,).

    ``rate`` is in requests a second: the rate of a constant load, the final rate of a ramp, and the rate
    outside a spike. Constant arrivals are evenly spaced; others are an inhomogeneous Poisson process, drawn
    by inverting the integral of the rate, so n varies with the seed. At least one start is returned.
    """
    if shape is Shape.CONSTANT:
        return np.arange(max(1, round(rate * seconds))) / rate
    grid = np.linspace(0.0, 1.0, 1001)
    rates = rate_at(shape, rate, grid)
    area = np.concatenate([[0.0], np.cumsum((rates[1:] + rates[:-1]) / 2 * seconds / 1000)])
    rng = np.random.default_rng(seed)
    count = int(rng.poisson(area[-1]))
    moments = np.interp(np.sort(rng.uniform(0.0, area[-1], count)), area, grid * seconds)
    return moments if count else np.zeros(1)


def popularity(items: int, exponent: float, count: int, seed: int) -> NDArray[np.int64]:
    """Return ``count`` indices of items, 0 to ``items`` - 1, drawn by Zipf's law, shape (count,).

    An item of rank k (1 is the most popular) is drawn in proportion to ``k ** -exponent``; an exponent of 0
    is uniform. The ranks are assigned at random; ``seed`` seeds ranks and draws.
    """
    rng = np.random.default_rng(seed)
    weights = np.arange(1, items + 1, dtype=np.float64) ** -exponent
    ranks = rng.choice(items, size=count, p=weights / weights.sum())
    return rng.permutation(items)[ranks].astype(np.int64)


def mix(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Parse ``texts``, the routes' shares of the requests, such as ``["ml-first=0.9", "validate=0.1"]``.

    Returns pairs of route name and share. A name without ``=`` has the share 1. Raises
    :class:`~crisol.errors.SettingsError` for a share that is no number; the names are not checked here but by
    :class:`LoadPlan`.
    """
    parts = []
    for text in texts:
        name, _, share = text.partition("=")
        try:
            parts.append((name.strip(), float(share or 1)))
        except ValueError:
            raise SettingsError(f"mix {text!r}: write it as name=share, such as validate=0.1") from None
    return tuple(parts)
