"""How much it takes to serve a rate: queues with several servers, from service times that were measured.

Waiting is Erlang's C formula for Poisson arrivals, scaled by the variability of the service times (Allen and
Cunneen's approximation for M/G/c).

>>> round(erlang_c(2.0, 3), 4)
0.4444
>>> servers_needed(rate=10.0, seconds=0.2, variation=1.0, wait=0.1)
4
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from crisol.errors import SettingsError
from crisol.resilience.kinds import LIFETIMES

__all__ = ["Costs", "Demand", "Size", "erlang_c", "servers_needed", "size", "waiting"]

_MOST = 100_000
_DAY, _MIB = 86_400, 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The demand on the service.

    ``rate`` is in patches a second. ``hits`` is the share that the cache answers, ``skipped`` the share of
    the rest that the model decides alone, ``ab_rate`` the share of those that is wargamed for the A/B test.
    """

    rate: float
    hits: float = 0.0
    skipped: float = 0.0
    ab_rate: float = 0.1

    def __post_init__(self) -> None:
        shares = (self.hits, self.skipped, self.ab_rate)
        if not (math.isfinite(self.rate) and self.rate > 0 and all(0 <= share <= 1 for share in shares)):
            raise SettingsError(f"{self}: the rate is above 0 and every share within 0..1")

    @property
    def wargames(self) -> float:
        """Wargames a second: patches of which the model is unsure, and sampled ones."""
        return self.rate * (1 - self.hits) * (1 - self.skipped + self.skipped * self.ab_rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of CPU that a worker spends on a request, and a wargame takes.

    ``variation`` is the squared coefficient of variation of the wargame's time. ``entries`` are the bytes of
    memory that a miss leaves in Redis, ``row`` those of disk that a trial takes in PostgreSQL.
    """

    request: float
    wargame: float
    variation: float = 1.0
    entries: float = 0.0
    row: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an installation: processes, and the load on PostgreSQL and Redis.

    ``disk`` is in MiB a day, ``memory`` in MiB; trials and commands are per second.
    """

    workers: int
    wargames: int
    trials: float
    disk_mb: float
    commands: float
    memory_mb: float


def erlang_c(load: float, servers: int) -> float:
    """Return the probability that an arriving request waits, by Erlang's C formula.

    ``load`` is the mean number of busy servers.

    The probability is 1 from saturation on.
    """
    if load >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def waiting(*, rate: float, seconds: float, variation: float, servers: int) -> float:
    """Return the mean seconds in line, infinite from saturation on; ``seconds`` is the mean service time."""
    load = rate * seconds
    if load >= servers:
        return math.inf
    return (1 + variation) / 2 * erlang_c(load, servers) * seconds / (servers - load)


def servers_needed(*, rate: float, seconds: float, variation: float, wait: float) -> int:
    """Return the fewest servers with which the mean time in line is at most ``wait`` seconds.

    Raises :class:`~crisol.errors.SettingsError` where more than 100,000 would be needed.
    """
    servers = max(1, math.floor(rate * seconds) + 1)
    while servers <= _MOST:
        if waiting(rate=rate, seconds=seconds, variation=variation, servers=servers) <= wait:
            return servers
        servers += 1
    raise SettingsError(f"more than {_MOST} servers for {rate:g} a second of {seconds:g} s each")


def size(demand: Demand, costs: Costs, *, wait: float = 0.1) -> Size:
    """Return the size for a demand, with a mean wait of at most ``wait`` seconds in each queue.

    Each request asks Redis for its bucket, each miss reads and writes decision and verdict there besides,
    which stay for a day.
    """
    misses = demand.rate * (1 - demand.hits)
    return Size(
        servers_needed(rate=demand.rate, seconds=costs.request, variation=1.0, wait=wait),
        servers_needed(rate=demand.wargames, seconds=costs.wargame, variation=costs.variation, wait=wait),
        demand.wargames,
        demand.wargames * _DAY * costs.row / _MIB,
        demand.rate + 4 * misses,
        misses * LIFETIMES["prediction"] * costs.entries / _MIB,
    )
