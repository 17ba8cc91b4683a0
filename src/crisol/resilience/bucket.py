"""Token buckets in this process: exact, bounded in memory, synchronous.

A bucket is stored as one number, the moment at which it will be full again (the generic cell rate algorithm,
ITU-T I.371). The answer to a request is one number, too: the *room*, see :class:`BucketDecision`.
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
    """A rate limit: ``limit`` tokens return every ``seconds``, and a bucket holds at most ``burst`` tokens.

    ``Rate(100)`` allows 100 tokens a minute; an infinite ``limit`` allows everything. A ``burst`` of 0 stands
    for the same number as ``limit``. Two fields are computed: ``interval`` is the seconds in which one token
    returns, ``full`` the seconds in which an empty bucket becomes full. Raises
    :class:`~crisol.errors.SettingsError` if ``limit`` is not positive, if ``seconds`` is not positive and
    finite, if the burst is below 1 (so a ``limit`` below 1 needs a ``burst``), or if the burst is infinite
    and ``limit`` is not.
    """

    limit: float
    seconds: float = 60.0
    burst: float = 0.0
    interval: float = field(init=False, repr=False)
    full: float = field(init=False, repr=False)

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
        """Return a rate that admits every request; its ``limit`` is infinite."""
        return cls(math.inf)

    @property
    def name(self) -> str:
        """The rate as text, such as ``100/60s+100`` (limit, seconds, burst); a key in Redis contains it."""
        return f"{self.limit:.15g}/{self.seconds:.15g}s+{self.burst:.15g}"

    def check_cost(self, cost: float) -> None:
        """Raise :class:`~crisol.errors.InputError` unless ``cost``, in tokens, is from 0 to the burst."""
        if not 0.0 <= cost <= self.burst:
            raise InputError(
                f"cost: {cost} is out of range; it must lie between 0 and the burst, {self.burst:g}"
            )


@dataclass(frozen=True, slots=True)
class BucketDecision:
    """The answer of a token bucket with the rate ``rate`` to one request that costs ``cost`` tokens.

    ``room`` is in seconds. If it is 0 or more, the request was allowed, and ``room`` is the time in which as
    many tokens return as are left in the bucket: 3.0 means three tokens if one returns each second. If it is
    negative, the request was refused, and the bucket holds enough tokens for it after ``-room`` seconds.
    """

    rate: Rate
    room: float
    cost: float = 1.0

    @property
    def allowed(self) -> bool:
        """True if the request may pass and its tokens were taken from the bucket."""
        return self.room >= 0.0

    @property
    def retry_after(self) -> float:
        """Seconds until the bucket holds enough tokens for the same request; 0 if the request was allowed."""
        return max(-self.room, 0.0)

    @property
    def left(self) -> float:
        """Seconds in which an empty bucket gains as many tokens as this one holds after the decision.

        A refused request takes no tokens.
        """
        if self.room >= 0.0:
            return self.room
        return max(self.room + self.cost * self.rate.interval, 0.0)

    @property
    def remaining(self) -> float:
        """The tokens left in the bucket after the decision, rounded down; infinite for an unlimited rate."""
        if self.rate.interval == 0.0:
            return math.inf
        return math.floor((self.left + TOLERANCE) / self.rate.interval)

    @property
    def reset_after(self) -> float:
        """Seconds until the bucket is full again; 0 if it is full now."""
        return max(self.rate.full - self.left, 0.0)


class Bucket(Protocol):
    """Token buckets of one rate, one bucket for each key, in this process or in a shared store such as Redis.

    A key names a client, for example by its address. Every implementation is safe across the tasks of one
    event loop.
    """

    @property
    def rate(self) -> Rate:
        """The rate limit, the same for every key."""
        ...

    def take(self, key: str, cost: float = 1.0) -> float | Awaitable[float]:
        """Take ``cost`` tokens from the bucket of ``key``, or none if the bucket has fewer.

        Returns the room, in seconds (see :class:`BucketDecision`), or an awaitable of it; a negative room
        means that the request is refused. Raises :class:`~crisol.errors.InputError` if ``cost`` is below 0 or
        above the rate's burst. If the bucket is in Redis and Redis does not answer, nothing is raised: a
        bucket of this process answers, or the request is admitted.
        """
        ...


class TokenBucket:
    """Token buckets in this process, one for each key, all with the rate limit ``rate``. Not thread-safe.

    A key names a client, for example by its address. At most ``capacity`` keys get a bucket of their own; all
    other keys share one, and ``overflowed`` counts their requests. A key is forgotten once its bucket is
    full again. ``clock`` returns seconds; if it is set back, no tokens return until it has caught up. Raises
    :class:`~crisol.errors.SettingsError` for a capacity below 1. The algorithm is GCRA (ITU-T I.371).

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
        """Take ``cost`` tokens from the bucket of ``key``, or none if the bucket has fewer.

        Returns the room, in seconds (see :class:`BucketDecision`); a negative room means that the request is
        refused. Raises :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst.
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
        """Take ``cost`` tokens from the bucket of ``key``, or none if it has fewer, and return the decision.

        Raises :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst.
        """
        return BucketDecision(self.rate, self.take(key, cost), cost)

    def limit(
        self, *, key: Callable[P, str], cost: float = 1.0
    ) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Return a decorator for ``async`` functions that takes ``cost`` tokens before each call.

        ``key`` is called with the arguments of the call and returns the key of the bucket. The decorated
        function raises :class:`~crisol.errors.RateLimited` if that bucket holds too few tokens, and
        :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst. The decorator
        raises :class:`~crisol.errors.SettingsError` for a function that is not ``async``.

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
        """Return the state of the bucket of ``key`` without taking a token.

        The result is the decision on a request that costs 0 tokens. A key without a bucket of its own gets
        the state of a full bucket while fewer than ``capacity`` keys have a bucket, and later the state of
        the bucket that all other keys share.
        """
        now = self._turn(self._clock())
        moment = max(self._find(key), now)
        return BucketDecision(self.rate, now + self._full - moment, 0.0)

    def follow(self, key: str, seconds: float) -> None:
        """Lower the tokens in the bucket of ``key`` to those that the key's bucket in another store holds.

        ``seconds`` is the time in which as many tokens return as the other bucket holds. A bucket that holds
        fewer tokens than the other one is not changed. A key without a bucket gets one, unless ``capacity``
        keys have a bucket already: then nothing happens.
        """
        now = self._turn(self._clock())
        moment = now + self._full - seconds
        current = self._current.get(key, self._previous.get(key))
        lower = len(self) < self._capacity if current is None else moment > current
        if lower:
            self._previous.pop(key, None)
            self._current[key] = moment

    def reset(self, key: str) -> None:
        """Fill the bucket of ``key``; nothing happens for a key without a bucket of its own."""
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
    """Return a decorator for ``async`` functions that takes ``cost`` tokens from ``bucket`` before each call.

    ``key`` is called with the arguments of the call and returns the bucket's key. The decorated function
    raises :class:`~crisol.errors.RateLimited` if the bucket holds too few tokens, and
    :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst. The decorator raises
    :class:`~crisol.errors.SettingsError` for a function that is not ``async``.
    """

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
