"""A share of a rate that follows how the service is doing: additive increase, multiplicative decrease.

After Chiu & Jain, *Analysis of the increase and decrease algorithms for congestion avoidance* (1989): what
grows by steps and shrinks by factors ends at the load that the service bears, from either side, and shares it
fairly.
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
    """When to grant less than the full rate of a rate limit, and how much less. Times are in seconds.

    Time is divided into intervals of ``interval`` seconds. An interval is bad when more than the share
    ``tolerated`` of its requests failed or took longer than ``target_seconds``, or when a breaker is not
    closed. After a bad interval the granted share of the rate is multiplied by ``decrease``, after any other
    ``increase`` is added to it. The share stays within ``low`` and ``high``; 1 is the full rate. Raises
    :class:`~crisol.errors.SettingsError` for a value out of range.
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
    """The share of a rate limit that is granted at present, 0 to 1; it starts at ``policy.high``.

    A share of 0.5 is granted by charging two tokens a request, so it works on every kind of bucket.
    ``strained()`` returns whether a breaker is not closed; it is called once an interval. An interval without
    a request is not bad, so the share of an idle service grows again. ``clock`` returns seconds.

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
        """Count a request that took ``seconds``; ``failed``: by an error of the service, such as HTTP 500."""
        self._turn(self._clock())
        self._calls += 1
        self._bad += failed or seconds > self.policy.target_seconds

    def cost(self, rate: Rate) -> float:
        """Return the tokens that one request costs now: 1 / share, at most the burst of ``rate``."""
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
