"""The plan of a load test: number of requests, times, patches and sources; the same for the same seed.

>>> LoadPlan(loop=Loop.CLOSED, requests=1000, connections=50).problem() is None
True
>>> arrivals(Shape.CONSTANT, rate=2.0, seconds=2.0, seed=0).tolist()
[0.0, 0.5, 1.0, 1.5]
"""

from __future__ import annotations

import math
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
    """What starts the next request of a load: its planned time (open loop) or an answer (closed loop).

    In an open loop requests are sent at their planned times even if the service is slow, and latency counts
    from the planned time. In a closed loop each connection sends its next request after the answer to the
    last one.
    """

    OPEN = "open"
    """Requests start at planned times, however slow the server is; latency counts from the planned time."""
    CLOSED = "closed"
    """The previous answer on a connection starts the next request; a stalled server gets no more load."""


class Shape(StrEnum):
    """How the rate of an open loop changes over its duration.

    - ``CONSTANT``: always the plan's rate, evenly spaced requests. All other shapes have random times
      (Poisson processes).
    - ``POISSON``: always the plan's rate.
    - ``RAMP``: the rate rises from a tenth of the plan's rate to the whole.
    - ``SPIKE``: five times the plan's rate in the middle fifth of the duration, otherwise the plan's rate.
    - ``SOAK``: the same as ``POISSON``, for a long test, in which memory must not grow.
    """

    CONSTANT = "constant"
    POISSON = "poisson"
    RAMP = "ramp"
    SPIKE = "spike"
    SOAK = "soak"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """How many requests a load test sends, when, with which patches and from which addresses.

    The same ``seed`` gives the same requests. Raises :class:`~crisol.errors.SettingsError` if a value is out
    of range: ``requests`` over 2,000,000, ``seconds`` over 3600 and ``rate`` over 100,000, for example.

    - ``loop``: what starts the next request, an answer (closed) or its planned time (open).
    - ``requests``: the number of requests after which a closed loop ends; an open loop ignores it.
    - ``rate``, ``shape``: the requests in a second of an open loop, and how this rate changes over time; a
      closed loop ignores both.
    - ``seconds``: the duration of an open loop; a closed loop ends at the latest after this time.
    - ``warm_up``: the first share of the requests (closed loop) or of the time (open loop), which is left out
      of the figures.
    - ``timeout``: how many seconds the client waits for an answer.
    - ``connections``: the largest number of open connections.
    - ``sources``: the number of loopback addresses from which the connections come.
    - ``zipf``: the exponent of Zipf's law, by which some patches are sent more often than others; 0 means all
      equally often.
    - ``mix``: pairs of a route (``ml-first`` or ``validate``) and its share of the requests, a positive
      finite number. The shares are divided by their sum.
    - ``spoofed``: the number of false client addresses in the header ``X-Forwarded-For``; 0 sends no such
      header.
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
        """Return a message about the first field that is out of range, or None if there is none.

        The constructor raises this message as :class:`~crisol.errors.SettingsError`, so a finished plan has
        no problem.
        """
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
        total = sum(share for _, share in self.mix)
        if unknown or not self.mix or any(share <= 0 for _, share in self.mix) or not math.isfinite(total):
            return f"mix {self.mix}: give positive, finite shares of {', '.join(ROUTES)}"
        if self.loop is Loop.OPEN and 5 * self.rate * self.seconds > MOST_REQUESTS:
            return f"{self.rate:g} requests a second for {self.seconds:g} s may be more than {MOST_REQUESTS}"
        return None

    def schedule(self) -> NDArray[np.float64] | None:
        """Return the planned start of each request of an open loop, in seconds from the load's start, (n,).

        The result is None for a closed loop, in which each answer starts the next request.
        """
        if self.loop is Loop.CLOSED:
            return None
        return arrivals(self.shape, rate=self.rate, seconds=self.seconds, seed=self.seed)


def rate_at(shape: Shape, rate: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates of an open loop at the moments ``share``, one rate for each moment.

    ``share`` holds the moments as shares of the load's duration, 0 to 1. ``shape`` says how the rate changes
    in that time. ``rate`` is the plan's rate; the result has the same unit.
    """
    if shape is Shape.RAMP:
        return rate * (_RAMP + (1 - _RAMP) * share)
    if shape is Shape.SPIKE:
        return np.where((share >= 0.4) & (share < 0.6), _SPIKE * rate, rate)
    return np.full_like(share, rate)


def arrivals(shape: Shape, *, rate: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Return the times at which requests start, in seconds from the beginning, ascending, shape (n,).

    ``rate`` is in requests a second: the rate of a constant load, the final rate of a ramp, the rate outside
    a spike. ``seconds`` is the duration. With the ``shape`` constant, the times are evenly spaced. With the
    others, they are drawn from a Poisson process, so n depends on ``seed``. There is at least one time.
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
    """Draw ``count`` indices of items, 0 to ``items`` - 1, by Zipf's law; return them, shape (count,).

    The k-th most popular item is drawn with a probability proportional to ``k ** -exponent``; with an
    exponent of 0 all are equally likely. ``seed`` also decides which items are popular.
    """
    rng = np.random.default_rng(seed)
    weights = np.arange(1, items + 1, dtype=np.float64) ** -exponent
    ranks = rng.choice(items, size=count, p=weights / weights.sum())
    return rng.permutation(items)[ranks].astype(np.int64)


def mix(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return each route's share of the requests, read from texts such as ``validate=0.1``.

    The result holds pairs of a route's name and its share, as :class:`LoadPlan` takes them, in the order of
    ``texts``. A text without ``=`` has the share 1; the shares need not add up to 1. Raises
    :class:`~crisol.errors.SettingsError` for a share that is not a number; the names are not checked.
    """
    parts = []
    for text in texts:
        name, _, share = text.partition("=")
        try:
            parts.append((name.strip(), float(share or 1)))
        except ValueError:
            raise SettingsError(f"mix {text!r}: write it as name=share, such as validate=0.1") from None
    return tuple(parts)
