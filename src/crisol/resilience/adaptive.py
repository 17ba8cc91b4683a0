"""Lower a rate limit while the service is slow or fails: additive increase, multiplicative decrease.

The method is that of Chiu & Jain, *Analysis of the increase and decrease algorithms for congestion avoidance*
(1989). They show that a load that is raised by a constant and lowered by a factor approaches the capacity of
a service, and that the clients then share the capacity fairly.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.resilience.bucket import Rate
    from crisol.resilience.clock import Clock

__all__ = ["AdaptivePolicy", "AdaptiveShare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptivePolicy:
    """The settings of an :class:`AdaptiveShare`: when a rate limit is lowered, and by how much.

    The share is the number by which the rate limit is multiplied; 1 is the whole limit. The share changes
    every ``interval`` seconds. It is multiplied by ``decrease`` if more than the fraction ``tolerated`` of
    the interval's requests failed or took longer than ``target_seconds``, or if a circuit breaker is open or
    half open. Otherwise ``increase`` is added to it. The share stays between ``low`` and ``high``. Raises
    :class:`~crisol.errors.SettingsError` if a value is out of range.
    """

    target_seconds: float
    tolerated: float = 0.05
    interval: float = 1.0
    increase: float = 0.05
    decrease: float = 0.5
    low: float = 0.1
    high: float = 1.0

    def __post_init__(self) -> None:
        for name in ("target_seconds", "interval", "increase", "low"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise SettingsError(f"adaptive {name}: {value} is out of range; it must be positive")
        for name in ("tolerated", "decrease"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0 or (name == "decrease" and not value):
                raise SettingsError(f"adaptive {name}: {value} is out of range; it must lie between 0 and 1")
        if not self.low <= self.high < math.inf:
            raise SettingsError(f"adaptive low {self.low} and high {self.high} are out of order")


class AdaptiveShare:
    """The number by which a rate limit is multiplied now, read as ``share``; 1 is the whole limit.

    ``policy`` says when the share changes; the share starts at ``policy.high``. Before each request, take
    from the client's bucket the number of tokens that :meth:`cost` returns: two at a share of 0.5. After each
    request, call :meth:`observe`. ``strained()`` returns whether a circuit breaker is open or half open; it
    is called before each change of the share. In an interval without requests the share grows, unless
    ``strained()`` is true. ``clock`` returns seconds.

    >>> from crisol.resilience.bucket import Rate
    >>> from crisol.resilience.clock import FakeClock
    >>> clock = FakeClock()
    >>> share = AdaptiveShare(AdaptivePolicy(target_seconds=0.1), clock=clock)
    >>> share.observe(0.5)
    >>> clock.advance(1.0)
    >>> share.cost(Rate(100))
    2.0
    """

    __slots__ = ("_bad", "_calls", "_clock", "_ends", "_strained", "policy", "share")

    def __init__(
        self,
        policy: AdaptivePolicy,
        *,
        strained: Callable[[], bool] = lambda: False,
        clock: Clock = time.monotonic,
    ) -> None:
        self.policy = policy
        self.share = policy.high
        self._strained = strained
        self._clock = clock
        self._ends = clock() + policy.interval
        self._calls = self._bad = 0

    def observe(self, seconds: float, *, failed: bool = False) -> None:
        """Count one finished request, which took ``seconds``, in the present interval.

        ``failed`` says that the service answered with an error of its own, such as HTTP 500. If the interval
        has ended, the share is updated first, and the request counts in a new interval.
        """
        self._turn(self._clock())
        self._calls += 1
        self._bad += failed or seconds > self.policy.target_seconds

    def cost(self, rate: Rate) -> float:
        """Return the number of tokens that one request costs now.

        The cost is 1 divided by the present share, but at most the burst of ``rate``. If ``policy.interval``
        seconds have passed since the last update of the share, the share is updated first.
        """
        self._turn(self._clock())
        return min(1.0 / self.share, rate.burst)

    def _turn(self, now: float) -> None:
        if now < self._ends:
            return
        policy = self.policy
        strained = self._strained()
        idle = int((now - self._ends) / policy.interval)
        if strained or self._bad > policy.tolerated * self._calls:
            self.share *= policy.decrease
        else:
            self.share += policy.increase
        if not strained:
            self.share += policy.increase * idle
        self.share = min(max(self.share, policy.low), policy.high)
        self._calls = self._bad = 0
        self._ends = now + policy.interval
