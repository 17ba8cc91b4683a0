"""The policy of a circuit breaker: when it opens and when it closes.

Several breakers may share one frozen record.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from crisol.errors import SettingsError

__all__ = ["CACHE", "DATABASE", "ML_MODEL", "BreakerPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """The limits at which a circuit breaker opens and closes. Times are in seconds, rates in (0, 1].

    A closed breaker opens as soon as one of these limits is reached; a limit of None is never reached:

    - ``consecutive_failures``: the number of calls in a row that failed.
    - ``failure_rate``: the share of the recent calls that failed.
    - ``slow_rate``: the share of the recent calls that took longer than ``slow_seconds``.

    The recent calls are the last ``window_calls``, or those of the last ``window_seconds`` if that is set.
    The two shares count only once there are ``minimum_calls`` recent calls.

    An open breaker rejects calls for ``recovery_seconds``. Each time that it opens again without having
    closed, this time is ``backoff`` times longer, up to ``max_recovery_seconds``. It is also made longer or
    shorter at random, by at most the share ``jitter``; ``rng()`` returns a random number in [0, 1).

    Then the breaker is half open and admits ``probes`` calls. It closes when ``probe_successes`` of them have
    succeeded. It opens again when so many have failed that this number cannot be reached, or when one of them
    is still running ``half_open_seconds`` after the breaker became half open.

    ``timeout`` is the time limit of each call, None for no limit. An exception is a failure if it is of a
    type in ``record`` and of none in ``ignore``. A result is a failure if ``is_failure(result)`` is true; if
    ``is_failure`` is None, no result is a failure. In a half-open breaker a slow call is a failure, too.

    Three fields are computed. ``timed`` says whether calls must be timed, and ``rated`` whether the policy
    limits a rate. ``longest_wait`` is the most seconds that a rejected caller is told to wait, even after the
    clock was set back.

    Raises :class:`~crisol.errors.SettingsError` if a value is out of range, if only one of ``slow_rate`` and
    ``slow_seconds`` is set, if ``probe_successes`` exceeds ``probes``, or if ``minimum_calls`` exceeds
    ``window_calls`` and ``window_seconds`` is None.
    """

    consecutive_failures: int | None = 5
    failure_rate: float | None = None
    slow_rate: float | None = None
    slow_seconds: float | None = None
    window_calls: int = 100
    window_seconds: float | None = None
    minimum_calls: int = 10
    timeout: float | None = None
    recovery_seconds: float = 30.0
    backoff: float = 1.0
    max_recovery_seconds: float = 600.0
    jitter: float = 0.0
    probes: int = 1
    probe_successes: int = 1
    half_open_seconds: float = 60.0
    record: tuple[type[BaseException], ...] = (Exception,)
    ignore: tuple[type[BaseException], ...] = ()
    is_failure: Callable[[object], bool] | None = None
    rng: Callable[[], float] = field(default=random.random, repr=False, compare=False)
    timed: bool = field(init=False, repr=False, compare=False)
    rated: bool = field(init=False, repr=False, compare=False)
    longest_wait: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("window_calls", "minimum_calls", "probes", "probe_successes"):
            self._check(name, low=1)
        if self.consecutive_failures is not None:
            self._check("consecutive_failures", low=1)
        for name in ("slow_seconds", "window_seconds", "timeout"):
            if getattr(self, name) is not None:
                self._check(name, above=0.0)
        for name in ("failure_rate", "slow_rate"):
            if getattr(self, name) is not None:
                self._check(name, above=0.0, high=1.0)
        for name in ("recovery_seconds", "max_recovery_seconds", "half_open_seconds"):
            self._check(name, above=0.0)
        self._check("backoff", low=1.0)
        self._check("jitter", low=0.0, high=1.0)
        if self.probe_successes > self.probes:
            raise SettingsError(
                f"probe_successes: {self.probe_successes} can never be reached with {self.probes} probes"
            )
        if (self.slow_rate is None) != (self.slow_seconds is None):
            raise SettingsError("slow_rate and slow_seconds belong together: set both or neither")
        if self.window_seconds is None and self.minimum_calls > self.window_calls:
            raise SettingsError(
                f"minimum_calls: {self.minimum_calls} never fit a window of {self.window_calls} calls"
            )
        object.__setattr__(self, "timed", self.slow_seconds is not None or self.timeout is not None)
        longest = 2.0 * max(self.max_recovery_seconds, self.recovery_seconds)
        object.__setattr__(self, "longest_wait", longest)
        object.__setattr__(self, "rated", self.failure_rate is not None or self.slow_rate is not None)

    def _check(
        self, name: str, *, low: float = -math.inf, above: float = -math.inf, high: float = math.inf
    ) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and low <= value <= high and value > above):
            bound = f"above {above:g}" if above > -math.inf else f"at least {low:g}"
            limit = f" and at most {high:g}" if high < math.inf else ""
            raise SettingsError(f"{name}: {value} is out of range; it must be {bound}{limit}")

    def wait(self, trips: int) -> float:
        """Return the seconds for which the breaker stays open; ``trips`` is 1 the first time.

        ``trips`` counts how often the breaker has opened since it was last closed. The result is
        ``recovery_seconds * backoff ** (trips - 1)``, at most the larger of ``max_recovery_seconds`` and
        ``recovery_seconds``. It is then lengthened or shortened at random, by at most the share ``jitter``.
        """
        try:
            grown = self.recovery_seconds * self.backoff ** (trips - 1)
        except OverflowError:
            grown = math.inf
        wait = min(grown, max(self.max_recovery_seconds, self.recovery_seconds))
        return wait * (1.0 + self.jitter * (2.0 * self.rng() - 1.0)) if self.jitter else wait


ML_MODEL = BreakerPolicy(
    timeout=10.0,
    consecutive_failures=5,
    slow_rate=0.5,
    slow_seconds=1.0,
    window_calls=10,
    recovery_seconds=30.0,
)
DATABASE = BreakerPolicy(timeout=5.0, consecutive_failures=3, recovery_seconds=15.0)
CACHE = BreakerPolicy(timeout=3.0, consecutive_failures=5, recovery_seconds=10.0)
