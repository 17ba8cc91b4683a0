"""Compare a fixed and an adaptive rate limit in front of a simulated server that becomes slow for a while.

The simulation uses virtual time, so the result does not depend on the speed of this machine. Requests arrive
at random (Poisson), and one server answers them one after the other (exponential times). In front of the
server are the real token bucket and the real :class:`~crisol.resilience.adaptive.AdaptiveShare`.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crisol.errors import ExperimentError
from crisol.resilience.adaptive import AdaptivePolicy, AdaptiveShare
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.clock import FakeClock

__all__ = ["Slowdown", "compare", "metrics", "summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """A simulated client and a simulated server that becomes slower for a while. Times are in seconds.

    The client sends ``offered`` requests a second, from 0 to ``seconds``. The server can answer ``capacity``
    requests a second, but only ``capacity`` / ``factor`` from ``begins`` to ``ends``. Raises
    :class:`~crisol.errors.ExperimentError` unless 0 < ``begins`` < ``ends`` < ``seconds`` <= 3600, ``factor``
    is between 1 and 1000, and ``offered`` and ``capacity`` are positive and at most 10,000.
    """

    offered: float = 80.0
    capacity: float = 100.0
    factor: float = 4.0
    begins: float = 30.0
    ends: float = 90.0
    seconds: float = 150.0

    def __post_init__(self) -> None:
        if not (0 < self.begins < self.ends < self.seconds <= 3600 and 1 <= self.factor <= 1000):
            raise ExperimentError(
                f"the slowdown from {self.begins} to {self.ends} s must lie within the {self.seconds} s, "
                f"at most 3600, and its factor, {self.factor}, between 1 and 1000"
            )
        if not (0 < self.offered <= 10_000 and 0 < self.capacity <= 10_000):
            raise ExperimentError(
                f"offered {self.offered} and capacity {self.capacity} must lie between 0 and 10,000 a second"
            )

    def service_seconds(self, now: float) -> float:
        """Return the server's mean service time, in seconds, for a request that begins at the time ``now``.

        ``now`` is in seconds from the start of the simulation. The result is larger from ``begins`` to
        ``ends``.
        """
        slow = self.begins <= now < self.ends
        return (self.factor if slow else 1.0) / self.capacity


def compare(slowdown: Slowdown, policy: AdaptivePolicy, seed: int) -> pd.DataFrame:
    """Simulate a fixed and an adaptive rate limit in front of a server, and return the course of both.

    ``policy`` controls which share of its full rate the adaptive limit grants. The full rate of both limits
    is 1.5 times the rate at which the client sends requests, so that the fixed limit hardly ever refuses one.
    ``seed`` draws arrivals and service times.

    The result has a row for each limit and second, first all seconds of the fixed limit. Columns: limit
    (``fixed`` or ``adaptive``), second, admitted and refused (requests that arrived in that second), p95
    (95th percentile of the latency of the admitted ones, in seconds; nan without any), share (the share of
    the full rate that is granted at the last request of that second; 1 without requests).
    """
    return pd.concat([_run(slowdown, None, seed), _run(slowdown, policy, seed)], ignore_index=True)


def summary(frame: pd.DataFrame, slowdown: Slowdown) -> pd.DataFrame:
    """Return a table with a row for each rate limit, from the table ``frame`` that :func:`compare` returns.

    The columns are:

    - limit: ``fixed`` or ``adaptive``;
    - p95_slow_median and p95_slow_worst: median and maximum of p95 while the server is slow, in seconds;
    - refused: number of refused requests in the whole simulation;
    - admitted_while_slow: number of admitted requests while the server is slow;
    - recovered_after: seconds from the end of the slowdown to the end of the last second in which p95 exceeds
      four times its median before the slowdown; 0 if there is no such second.
    """
    rows = []
    for limit, part in frame.groupby("limit", sort=False):
        slow = part[part["second"].between(slowdown.begins, slowdown.ends - 1)]
        calm = part[part["second"] < slowdown.begins]["p95"].median()
        late = part[(part["second"] >= slowdown.ends) & (part["p95"] > 4.0 * calm)]["second"]
        rows.append(
            {
                "limit": limit,
                "p95_slow_median": slow["p95"].median(),
                "p95_slow_worst": slow["p95"].max(),
                "refused": int(part["refused"].sum()),
                "admitted_while_slow": int(slow["admitted"].sum()),
                "recovered_after": float(late.max() + 1 - slowdown.ends) if len(late) else 0.0,
            }
        )
    return pd.DataFrame(rows)


def metrics(table: pd.DataFrame) -> dict[str, float]:
    """Return the cells of the table from :func:`summary`, by names such as ``fixed.refused``, for MLflow."""
    return {
        f"{row['limit']}.{name}": float(row[name])
        for row in table.to_dict("records")
        for name in table.columns
        if name != "limit"
    }


def _run(slowdown: Slowdown, policy: AdaptivePolicy | None, seed: int) -> pd.DataFrame:
    rng, clock = random.Random(seed), FakeClock(0.0)
    rate = Rate(max(slowdown.offered * 1.5, 1.0), 1.0)
    bucket = TokenBucket(rate, clock=clock)
    share = None if policy is None else AdaptiveShare(policy, clock=clock)
    waiting: deque[tuple[float, float]] = deque()
    free_at = now = 0.0
    seconds = int(slowdown.seconds)
    admitted, refused = np.zeros(seconds, dtype=int), np.zeros(seconds, dtype=int)
    latencies_by_second: list[list[float]] = [[] for _ in range(seconds)]
    shares = np.ones(seconds)
    while (now := now + rng.expovariate(slowdown.offered)) < seconds:
        # Each arrival draws both times, so that the two limits meet the same requests.
        work = rng.expovariate(1.0)
        while waiting and waiting[0][0] <= now:
            ended, latency = waiting.popleft()
            clock.now = ended
            if share is not None:
                share.observe(latency)
        clock.now = now
        second = int(now)
        cost = 1.0 if share is None else share.cost(rate)
        if not bucket.decide("client", cost).allowed:
            refused[second] += 1
        else:
            begun = max(free_at, now)
            free_at = begun + work * slowdown.service_seconds(begun)
            waiting.append((free_at, free_at - now))
            admitted[second] += 1
            latencies_by_second[second].append(free_at - now)
        shares[second] = 1.0 if share is None else share.share
    return pd.DataFrame(
        {
            "limit": "fixed" if policy is None else "adaptive",
            "second": np.arange(seconds),
            "admitted": admitted,
            "refused": refused,
            "p95": [
                float(np.percentile(latencies, 95)) if latencies else np.nan
                for latencies in latencies_by_second
            ],
            "share": shares,
        }
    )
