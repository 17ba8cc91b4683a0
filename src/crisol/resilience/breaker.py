"""The state machine of a circuit breaker; it makes no calls itself and reads the time from a given clock.

A permit is the number of the *generation* in which it was handed out. Every change of state starts a new
generation, so a result that arrives late carries an old number and changes nothing. Permits follow the
library gobreaker; the states, and the limits at which the state changes, follow resilience4j. Threads may
share a breaker.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from crisol.errors import CircuitOpenError
from crisol.resilience.policy import BreakerPolicy
from crisol.resilience.window import TimeWindow, push

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.resilience.clock import Clock

__all__ = ["BreakerCore", "BreakerSnapshot", "State"]

log = logging.getLogger(__name__)

# One lock for all: it is held for a microsecond, away from the hot path, and a lock each would cost memory.
_lock = threading.Lock()


class State(Enum):
    """The state of a circuit breaker: which calls it admits, and which results it counts.

    ``CLOSED``: every call passes and is counted. ``OPEN``: every call is rejected for the time that the
    breaker's policy sets. ``HALF_OPEN``: a few calls pass, and their results close the breaker or open it
    again. Three states last until the breaker is reset: ``DISABLED`` (every call passes, none is counted),
    ``FORCED_OPEN`` (every call is rejected) and ``METRICS_ONLY`` (every call passes and is counted, and the
    breaker never opens).
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    DISABLED = "disabled"
    FORCED_OPEN = "forced_open"
    METRICS_ONLY = "metrics_only"


CLOSED: Final = State.CLOSED
OPEN: Final = State.OPEN
HALF_OPEN: Final = State.HALF_OPEN
METRICS_ONLY: Final = State.METRICS_ONLY


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """The state and the counters of the circuit breaker ``name`` at one moment.

    - ``generation``: a number that grows with each change of state.
    - ``retry_after``: the seconds that a rejected caller should wait; 0 while every call passes.
    - ``calls``: the number of recent calls. The breaker's policy says which calls are recent.
    - ``failure_rate``: the share of the recent calls that failed, 0 to 1. It is None if ``calls`` is below
      the policy's ``minimum_calls``, or if the policy limits neither failures nor slow calls by a rate.
    - ``slow_rate``: the share of the recent calls that was slow, 0 to 1. It is None if ``failure_rate`` is
      None, or if the policy does not limit slow calls.
    - ``successes``, ``failures`` (time-outs included), ``timeouts``, ``rejections``: the numbers of these
      calls since the breaker was made.
    - ``recovered``, ``relapsed``: how many half-open periods ended with the breaker closed, and how many with
      the breaker open again.
    """

    name: str
    state: State
    generation: int
    calls: int
    failure_rate: float | None
    slow_rate: float | None
    retry_after: float
    successes: int
    failures: int
    timeouts: int
    rejections: int
    recovered: int
    relapsed: int


class BreakerCore:
    """A circuit breaker for a caller that makes the calls itself and reports how each ended. Thread-safe.

    :meth:`try_acquire` returns a permit, a positive number, or 0 if the call is rejected. When an admitted
    call has ended, the caller passes its permit to exactly one method: :meth:`success`, :meth:`failure`, or
    :meth:`release` for an end that does not count, such as a cancelled call. ``name`` appears in messages;
    ``policy`` says when the breaker opens and closes; ``clock`` returns seconds.

    >>> breaker = BreakerCore("database", BreakerPolicy(consecutive_failures=2))
    >>> for _ in range(2):
    ...     breaker.failure(breaker.try_acquire())
    >>> breaker.state, breaker.try_acquire()
    (<State.OPEN: 'open'>, 0)
    """

    __slots__ = (
        "_admitted",
        "_bad",
        "_listeners",
        "_mark",
        "_slow",
        "_streak",
        "_trips",
        "_until",
        "_window",
        "clock",
        "failures",
        "generation",
        "name",
        "policy",
        "quiet",
        "recovered",
        "rejections",
        "relapsed",
        "state",
        "successes",
        "timeouts",
    )

    def __init__(
        self, name: str, policy: BreakerPolicy | None = None, *, clock: Clock = time.monotonic
    ) -> None:
        self.name = name
        self.policy = policy if policy is not None else BreakerPolicy()
        self.clock = clock
        self.generation = 0
        self.successes = self.failures = self.timeouts = self.rejections = 0
        self.recovered = self.relapsed = 0
        self._trips = 0
        self._until = 0.0
        self._listeners: tuple[Callable[[str, State, State], None], ...] = ()
        self._admitted = self._streak = self._bad = self._slow = self._mark = 0
        self._window: TimeWindow | None = None
        self.quiet = False
        self.state = CLOSED
        self._enter(CLOSED)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.state.value}>"

    def try_acquire(self) -> int:
        """Return a permit (a positive number) for one call, or 0 if the call is rejected.

        Pass the permit to :meth:`success`, :meth:`failure` or :meth:`release` when the call has ended.
        """
        state = self.state
        if state is OPEN:
            if self.clock() < self._until:
                self.rejections += 1
                return 0
        elif state is not HALF_OPEN:
            if state is State.FORCED_OPEN:
                self.rejections += 1
                return 0
            return self.generation
        return self._try_probe()

    def acquire(self) -> int:
        """Return a permit (a positive number) for one call.

        Pass the permit to :meth:`success`, :meth:`failure` or :meth:`release` when the call has ended. Raises
        :class:`~crisol.errors.CircuitOpenError` if the call is rejected.
        """
        if self.state is OPEN:
            # This is the usual rejection; the clock is read only once, to keep it cheap.
            remaining = self._until - self.clock()
            if remaining > 0.0:
                self.rejections += 1
                longest = self.policy.longest_wait
                raise CircuitOpenError(self.name, remaining if remaining < longest else longest)  # noqa: FURB136 - min() is a call
        permit = self.try_acquire()
        if permit:
            return permit
        raise CircuitOpenError(self.name, self.retry_after())

    def retry_after(self) -> float:
        """Return the seconds that a rejected caller should wait before its next try.

        For an open breaker these are the seconds until it becomes half open; for a half-open one, the seconds
        until its half-open period ends; for one that is forced open, the ``recovery_seconds`` of its policy.
        The result is 0 in every other state.
        """
        state = self.state
        # The members are compared one by one: a look-up in a set would cost more than the rest of a
        # rejection.
        if state is OPEN or state is HALF_OPEN:
            return min(max(self._until - self.clock(), 0.0), self.policy.longest_wait)
        return self.policy.recovery_seconds if state is State.FORCED_OPEN else 0.0

    def _try_probe(self) -> int:
        with _lock:
            before = self.state
            now = self.clock()
            if self.state is OPEN and now >= self._until:
                self._enter(HALF_OPEN, now + self.policy.half_open_seconds)
            elif self.state is HALF_OPEN and now >= self._until:
                pending = self._admitted - (self.successes - self._mark) - self._streak
                if pending:
                    self._relapse(now)
                else:
                    self._enter(HALF_OPEN, now + self.policy.half_open_seconds)
            if self.state is HALF_OPEN and self._admitted < self.policy.probes:
                self._admitted += 1
                permit = self.generation
            elif self.state in {OPEN, HALF_OPEN, State.FORCED_OPEN}:
                self.rejections += 1
                permit = 0
            else:
                permit = self.generation
            after = self.state
        self._tell(before, after)
        return permit

    def success(self, permit: int, seconds: float = 0.0) -> None:
        """Report that an admitted call succeeded after ``seconds``.

        ``permit`` is the number with which the call was admitted. If the breaker has changed its state since
        then, the call is not counted. A call that took longer than the ``slow_seconds`` of the policy counts
        as slow, and in a half-open breaker as a failure.
        """
        self._settle(permit, seconds, bad=False)

    def failure(self, permit: int, seconds: float = 0.0, *, timeout: bool = False) -> None:
        """Report that an admitted call failed after ``seconds``.

        ``timeout`` says that the call's time limit was the cause. ``permit`` is the number with which the
        call was admitted. If the breaker has changed its state since then, the call is not counted.
        """
        self._settle(permit, seconds, bad=True, timeout=timeout)

    def release(self, permit: int) -> None:
        """Report that an admitted call ended without a result that counts, such as a cancelled call.

        ``permit`` is the number with which the call was admitted. A half-open breaker may then admit another
        call.
        """
        with _lock:
            if permit == self.generation and self.state is HALF_OPEN and self._admitted:
                self._admitted -= 1

    def _settle(self, permit: int, seconds: float, *, bad: bool, timeout: bool = False) -> None:
        slowest = self.policy.slow_seconds
        with _lock:
            # A quiet breaker has only good calls in its window, so one more can change nothing but the count.
            if (
                self.quiet
                and not bad
                and permit == self.generation
                and (slowest is None or seconds <= slowest)
            ):
                self.successes += 1
                return
            before = self.state
            if permit != self.generation or before not in {CLOSED, HALF_OPEN, METRICS_ONLY}:
                return
            slow = slowest is not None and seconds > slowest
            if bad or (slow and before is HALF_OPEN):
                self.failures += 1
                self.timeouts += timeout
                self._streak += 1
            else:
                self.successes += 1
            if before is HALF_OPEN:
                self._judge_probes()
            else:
                if not bad:
                    self._streak = 0
                self._judge_calls(bad=bad, slow=slow)
            after = self.state
        self._tell(before, after)

    def _judge_probes(self) -> None:
        policy = self.policy
        if self.successes - self._mark >= policy.probe_successes:
            self.recovered += 1
            self._trips = 0
            self._enter(CLOSED)
        elif policy.probes - self._streak < policy.probe_successes:
            self._relapse(self.clock())

    def _judge_calls(self, *, bad: bool, slow: bool) -> None:
        policy = self.policy
        if self._window is not None:
            now = self.clock()
            self._window.add(now, bad=bad, slow=slow)
        elif policy.rated:
            self._bad = push(self._bad, bad, policy.window_calls)
            self._slow = push(self._slow, slow, policy.window_calls)
        self.quiet = self._window is None and not (self._bad or self._slow or self._streak)
        if self.state is METRICS_ONLY:
            return
        limit = policy.consecutive_failures
        if (limit is not None and self._streak >= limit) or self._rates_exceeded():
            self._trip(self.clock())

    def _rates_exceeded(self) -> bool:
        policy = self.policy
        calls, bad, slow = self._sums()
        if not policy.rated or calls < policy.minimum_calls:
            return False
        too_bad = policy.failure_rate is not None and bad >= policy.failure_rate * calls
        return too_bad or (policy.slow_rate is not None and slow >= policy.slow_rate * calls)

    def _sums(self) -> tuple[int, int, int]:
        if self._window is not None:
            return self._window.sums(self.clock())
        recorded = self.successes + self.failures - self._mark
        calls = min(recorded, self.policy.window_calls) if self.state in {CLOSED, METRICS_ONLY} else 0
        return calls, self._bad.bit_count(), self._slow.bit_count()

    def reset(self) -> None:
        """Close the breaker, whatever its state, and forget recent calls.

        The counters of :class:`BreakerSnapshot` since the breaker was made, such as ``failures``, are kept.
        """
        self._force(CLOSED)

    def disable(self) -> None:
        """Admit every call and count none, until :meth:`reset` is called."""
        self._force(State.DISABLED)

    def force_open(self) -> None:
        """Reject every call, until :meth:`reset` is called."""
        self._force(State.FORCED_OPEN)

    def metrics_only(self) -> None:
        """Admit every call, count it, and never open, until :meth:`reset` is called."""
        self._force(METRICS_ONLY)

    def add_listener(self, listener: Callable[[str, State, State], None]) -> None:
        """Have ``listener(name, old, new)`` called after each change of the breaker's state.

        ``name`` is the breaker's name; ``old`` and ``new`` are the states before and after the change. The
        listener runs in the thread whose call changed the state, before that call returns. An exception that
        the listener raises is logged and not passed on.
        """
        self._listeners = (*self._listeners, listener)

    def snapshot(self) -> BreakerSnapshot:
        """Return a copy of the breaker's state and counters; later calls do not change it."""
        with _lock:
            calls, bad, slow = self._sums()
            enough = self.policy.rated and calls >= self.policy.minimum_calls
            return BreakerSnapshot(
                name=self.name,
                state=self.state,
                generation=self.generation,
                calls=calls,
                failure_rate=bad / calls if enough else None,
                slow_rate=slow / calls if enough and self.policy.slow_rate is not None else None,
                retry_after=self.retry_after(),
                successes=self.successes,
                failures=self.failures,
                timeouts=self.timeouts,
                rejections=self.rejections,
                recovered=self.recovered,
                relapsed=self.relapsed,
            )

    def _force(self, state: State) -> None:
        with _lock:
            before = self.state
            self._trips = 0
            self._enter(state)
        self._tell(before, state)

    def _relapse(self, now: float) -> None:
        self.relapsed += 1
        self._trip(now)

    def _trip(self, now: float) -> None:
        self._trips += 1
        self._enter(OPEN, now + self.policy.wait(self._trips))

    def _enter(self, state: State, until: float = 0.0) -> None:
        self.state = state
        self.generation += 1
        self._until = until
        self._admitted = self._streak = self._bad = self._slow = 0
        seconds = self.policy.window_seconds
        timed = seconds is not None and self.policy.rated and state in {CLOSED, METRICS_ONLY}
        self._window = TimeWindow(seconds) if timed and seconds is not None else None
        self._mark = self.successes if state is HALF_OPEN else self.successes + self.failures
        self.quiet = state in {CLOSED, METRICS_ONLY} and self._window is None

    def _tell(self, before: State, after: State) -> None:
        if before is after:
            return
        log.info("circuit %r: %s -> %s", self.name, before.value, after.value)
        for listener in self._listeners:
            try:
                listener(self.name, before, after)
            except Exception:
                log.exception("a listener of circuit %r failed", self.name)
