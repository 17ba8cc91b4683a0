"""The token bucket in this process: exact, bounded in memory, synchronous.

A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm, ITU-T
I.371). A decision is one number too: the *room*, see :class:`BucketDecision`.
"""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from crisol.errors import InputError, RateLimited, SettingsError

if TYPE_CHECKING:
    from crisol.resilience.clock import Clock

__all__ = ["Bucket", "BucketDecision", "Rate", "TokenBucket", "limited"]

P = ParamSpec("P")
T = TypeVar("T")

# Forgives the rounding of floats: far below the millisecond that is promised, far above what a sum can lose.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit`` tokens every ``seconds``, of which ``burst`` (the limit unless given) may be saved up.

    ``Rate(100)`` is a hundred a minute. ``Rate.unlimited()`` refuses nothing.
    Raises :class:`~crisol.errors.SettingsError` for a value out of range.
    """

    limit: float
    seconds: float = 60.0
    burst: float = 0.0
    interval: float = field(init=False, repr=False)
    """Seconds for one token to come back."""
    full: float = field(init=False, repr=False)
    """Seconds for an empty bucket to become full."""

    def __post_init__(self) -> None:
        if not (self.limit > 0 and 0 < self.seconds < math.inf):
            raise SettingsError(f"rate: {self.limit} tokens in {self.seconds} s; both must be positive")
        burst = self.burst or self.limit
        if not (burst >= 1 and (burst < math.inf or self.limit == math.inf)):
            raise SettingsError(f"burst: {burst} is out of range; it must be at least 1, and finite")
        object.__setattr__(self, "burst", burst)
        object.__setattr__(self, "interval", self.seconds / self.limit)
        object.__setattr__(self, "full", 0.0 if self.limit == math.inf else self.interval * burst)

    @classmethod
    def unlimited(cls) -> Rate:
        """Return the rate that refuses nothing."""
        return cls(math.inf)

    @property
    def name(self) -> str:
        """The policy as a key: ``100/60s+100``."""
        return f"{self.limit:.15g}/{self.seconds:.15g}s+{self.burst:.15g}"

    def check_cost(self, cost: float) -> None:
        """Refuse, as :class:`~crisol.errors.InputError`, a cost that no full bucket could pay."""
        if not 0.0 <= cost <= self.burst:
            raise InputError(
                f"cost: {cost} is out of range; it must lie between 0 and the burst, {self.burst:g}"
            )


@dataclass(frozen=True, slots=True)
class BucketDecision:
    """The answer to one request; every header and body of the limiter is computed from it.

    ``room`` is how many seconds' worth of tokens stayed in the bucket, or, negative, how many seconds were
    missing: then nothing was taken.
    """

    rate: Rate
    room: float
    cost: float = 1.0

    @property
    def allowed(self) -> bool:
        """Whether the tokens were there."""
        return self.room >= 0.0

    @property
    def retry_after(self) -> float:
        """Seconds until the same request would pass; 0 when it did."""
        return max(-self.room, 0.0)

    @property
    def left(self) -> float:
        """Seconds' worth of tokens in the bucket after the decision."""
        if self.room >= 0.0:
            return self.room
        return max(self.room + self.cost * self.rate.interval, 0.0)

    @property
    def remaining(self) -> float:
        """Whole tokens in the bucket after the decision; infinite where nothing is limited."""
        if self.rate.interval == 0.0:
            return math.inf
        return math.floor((self.left + TOLERANCE) / self.rate.interval)

    @property
    def reset_after(self) -> float:
        """Seconds until the bucket is full again."""
        return max(self.rate.full - self.left, 0.0)


class Bucket(Protocol):
    """Buckets of one rate, by key, in this process or elsewhere.

    ``take`` returns the room, at once or as an awaitable. It never raises for a store that is away. Cores are
    safe across tasks of one event loop; what several processes share says so.
    """

    @property
    def rate(self) -> Rate:
        """The rate that every key has."""
        ...

    def take(self, key: str, cost: float = 1.0) -> float | Awaitable[float]:
        """Take ``cost`` tokens, or none; see :class:`BucketDecision` for the number that comes back."""
        ...


class TokenBucket:
    """One bucket a key, at most ``capacity`` keys, in two generations.

    Every ``rate.full`` seconds the older generation is dropped: whoever was not seen for so long has a full
    bucket again, so nothing is lost. While both together are full, keys never seen share one overflow bucket:
    flooding the table with invented names buys no fresh bucket, costs no memory and evicts nobody.
    Time never runs backwards in here; a clock that is set back stands still until it has caught up.

    >>> bucket = TokenBucket(Rate(2, 60))
    >>> [bucket.decide("203.0.113.7").allowed for _ in range(3)]
    [True, True, False]
    """

    __slots__ = (
        "_capacity",
        "_clock",
        "_current",
        "_full",
        "_interval",
        "_now",
        "_overflow",
        "_previous",
        "_rotate_at",
        "overflowed",
        "rate",
    )

    def __init__(self, rate: Rate, *, capacity: int = 100_000, clock: Clock = time.monotonic) -> None:
        if capacity < 1:
            raise SettingsError(f"capacity: {capacity} is out of range; it must be at least 1")
        self.rate = rate
        self.overflowed = 0
        self._capacity = capacity
        self._clock = clock
        self._interval = rate.interval
        self._full = rate.full + TOLERANCE if rate.limit < math.inf else math.inf
        self._now = clock()
        self._rotate_at = self._now + rate.full if rate.interval else math.inf
        self._current: dict[str, float] = {}
        self._previous: dict[str, float] = {}
        self._overflow = self._now

    def __len__(self) -> int:
        return len(self._current) + len(self._previous)

    def take(self, key: str, cost: float = 1.0) -> float:
        """Take ``cost`` tokens from the bucket of ``key``, or none.

        Returns the room in seconds (see :class:`BucketDecision`). Raises :class:`~crisol.errors.InputError`
        for a cost that no full bucket could pay.
        """
        now = self._clock()
        if self._now <= now < self._rotate_at:
            self._now = now
        else:
            now = self._turn(now)
        try:
            moment = self._current[key]
        except KeyError:
            return self._take_elsewhere(key, cost, now)
        if moment < now:  # noqa: PLR1730 - max() is a call, and this is every request
            moment = now
        if cost != 1.0:
            self.rate.check_cost(cost)
        moment += cost * self._interval
        room = now + self._full - moment
        if room >= 0.0:
            self._current[key] = moment
        return room

    def decide(self, key: str, cost: float = 1.0) -> BucketDecision:
        """Like :meth:`take`, with the number explained."""
        return BucketDecision(self.rate, self.take(key, cost), cost)

    def limit(
        self, *, key: Callable[P, str], cost: float = 1.0
    ) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Return a decorator that takes ``cost`` tokens a call; ``key`` names the bucket by the arguments.

        The decorated ``async`` function raises :class:`~crisol.errors.RateLimited` where there are too few.

        >>> import asyncio
        >>> bucket = TokenBucket(Rate(1, 60))
        >>> @bucket.limit(key=lambda client: client)
        ... async def greet(client: str) -> str:
        ...     return f"hello {client}"
        >>> asyncio.run(greet("ann"))
        'hello ann'
        >>> asyncio.run(greet("ann"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        crisol.errors.RateLimited: greet is called too often; retry in ... s
        """
        return limited(self, key, cost)

    def peek(self, key: str) -> BucketDecision:
        """Return the state of the bucket of ``key``, and take no token."""
        now = self._turn(self._clock())
        moment = max(self._find(key), now)
        return BucketDecision(self.rate, now + self._full - moment, 0.0)

    def follow(self, key: str, seconds: float) -> None:
        """Lower the bucket of ``key`` to the tokens of ``seconds``, as another store reports them.

        A bucket that holds less here keeps it; a full table takes in no new key.
        """
        now = self._turn(self._clock())
        moment = now + self._full - seconds
        current = self._current.get(key, self._previous.get(key))
        lower = len(self) < self._capacity if current is None else moment > current
        if lower:
            self._previous.pop(key, None)
            self._current[key] = moment

    def reset(self, key: str) -> None:
        """Fill the bucket of ``key``."""
        self._current.pop(key, None)
        self._previous.pop(key, None)

    def _find(self, key: str) -> float:
        moment = self._current.get(key)
        if moment is None:
            moment = self._previous.get(key)
        if moment is None:
            return self._overflow if len(self) >= self._capacity else -math.inf
        return moment

    def _take_elsewhere(self, key: str, cost: float, now: float) -> float:
        self.rate.check_cost(cost)
        if self._interval == 0.0:
            return math.inf
        moment = self._previous.get(key)
        shared = moment is None and len(self) >= self._capacity
        if shared:
            self.overflowed += 1
            moment = self._overflow
        moment = max(now if moment is None else moment, now) + cost * self._interval
        room = now + self._full - moment
        if room < 0.0 or cost == 0.0:
            return room
        if shared:
            self._overflow = moment
        else:
            self._previous.pop(key, None)
            self._current[key] = moment
        return room

    def _turn(self, now: float) -> float:
        self._now = now = max(now, self._now)
        if now >= self._rotate_at:
            self._previous = self._current if now < self._rotate_at + self.rate.full else {}
            self._current = {}
            self._rotate_at = now + self.rate.full
        return now


def limited(
    bucket: Bucket, key: Callable[P, str], cost: float = 1.0
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Return a decorator that takes ``cost`` tokens before every call; see :meth:`TokenBucket.limit`."""

    def decorate(fn: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        if not inspect.iscoroutinefunction(fn):
            raise SettingsError(f"{fn!r} is no coroutine function; write async def")

        @functools.wraps(fn)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            room = bucket.take(key(*args, **kwargs), cost)
            decision = BucketDecision(bucket.rate, await room if isinstance(room, Awaitable) else room, cost)
            if not decision.allowed:
                raise RateLimited(fn.__qualname__, decision.retry_after)
            return await fn(*args, **kwargs)

        return call

    return decorate
