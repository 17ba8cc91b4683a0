"""Size an installation for a rate of requests, from queues with several servers and measured service times.

The mean wait in a queue follows from Erlang's C formula for Poisson arrivals. Allen and Cunneen's
approximation for M/G/c queues scales it by the variability of the service times.

>>> round(erlang_c(2.0, 3), 4)
0.4444
>>> servers_needed(rate=10.0, seconds=0.2, variation=1.0, wait=0.1)
3
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
    """The expected load on a service: ``rate`` in patches a second, and three shares, 0 to 1.

    The cache answers the share ``hits`` of all patches. Of the others, the model decides the share
    ``skipped`` without a wargame. Of the patches that the model decides, the share ``ab_rate`` is wargamed as
    well, for A/B testing. Raises :class:`~crisol.errors.SettingsError` if a value is out of range.
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
        """The wargames a second that this load needs.

        They are the wargames of patches that the model does not decide, and those for A/B testing.
        """
        return self.rate * (1 - self.hits) * (1 - self.skipped + self.skipped * self.ab_rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The measured costs of one request, one wargame and one trial.

    ``request`` is the CPU time of a request in a worker, and ``wargame`` the mean time of a wargame, both in
    seconds. ``variation`` is the squared coefficient of variation of the wargames' times; 1 fits an
    exponential distribution. ``entries`` is how many bytes of Redis the cache entries of one patch take;
    ``row`` is how many bytes of PostgreSQL's disk a trial takes.
    """

    request: float
    wargame: float
    variation: float = 1.0
    entries: float = 0.0
    row: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an installation that suffices for an expected load.

    ``workers`` is the number of worker processes of the service, ``wargames`` the number of wargames that
    must run at the same time. ``trials`` is the number of rows that PostgreSQL stores in a second,
    ``disk_mb`` the MiB that they take in a day. ``commands`` is the number of commands that Redis gets in a
    second, ``memory_mb`` the MiB that Redis needs for cache entries.
    """

    workers: int
    wargames: int
    trials: float
    disk_mb: float
    commands: float
    memory_mb: float


def erlang_c(load: float, servers: int) -> float:
    """Return the probability that an arriving request must wait in an M/M/c queue (Erlang's C formula).

    ``servers`` is c; ``load`` is the arrival rate times the mean service time. If ``load`` is at least
    ``servers``, the result is 1.
    """
    if load >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def waiting(*, rate: float, seconds: float, variation: float, servers: int) -> float:
    """Return the mean seconds that a request waits in an M/G/c queue (approximation of Allen and Cunneen).

    ``servers`` is c. ``rate`` is in arrivals a second, ``seconds`` is the mean service time, and
    ``variation`` is its squared coefficient of variation. The result is infinite if ``rate * seconds`` is at
    least ``servers``.
    """
    load = rate * seconds
    if load >= servers:
        return math.inf
    return (1 + variation) / 2 * erlang_c(load, servers) * seconds / (servers - load)


def servers_needed(*, rate: float, seconds: float, variation: float, wait: float) -> int:
    """Return the fewest servers of an M/G/c queue with a mean wait of at most ``wait`` seconds.

    ``rate`` is in arrivals a second, ``seconds`` is the mean service time, and ``variation`` is its squared
    coefficient of variation. Raises :class:`~crisol.errors.SettingsError` if more than 100,000 servers are
    needed.
    """
    servers = max(1, math.floor(rate * seconds) + 1)
    while servers <= _MOST:
        if waiting(rate=rate, seconds=seconds, variation=variation, servers=servers) <= wait:
            return servers
        servers += 1
    raise SettingsError(f"more than {_MOST} servers for {rate:g} a second of {seconds:g} s each")


def size(demand: Demand, costs: Costs, *, wait: float = 0.1) -> Size:
    """Return the size of an installation for ``demand``, if each request and wargame costs ``costs``.

    Requests wait for a worker, and patches for a wargame, at most ``wait`` seconds on average. Redis gets one
    command for each request and four more for each patch without a cached answer; it keeps the cache entries
    of such a patch for a day. Raises :class:`~crisol.errors.SettingsError` if more than 100,000 workers or
    wargames at a time are needed.
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
