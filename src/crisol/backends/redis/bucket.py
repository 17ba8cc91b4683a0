"""Token buckets in Redis: one round trip for each decision, timed by the server's clock."""

from __future__ import annotations

import hashlib
import math
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from redis.exceptions import NoScriptError, RedisError

from crisol.errors import CircuitOpenError
from crisol.resilience.bucket import BucketDecision, TokenBucket, limited
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.policy import CACHE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from redis.asyncio import Redis

    from crisol.resilience.bucket import Rate

__all__ = ["RedisBucket"]

P = ParamSpec("P")
T = TypeVar("T")

MICRO = 1_000_000

_SOURCE = resources.files(__package__).joinpath("bucket.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


class RedisBucket:
    """Token buckets in Redis, one for each key, all with the rate limit ``rate``; processes share them.

    A key names a client, for example by its address. ``client`` is the connection to Redis. Calls go through
    the circuit breaker ``breaker``; None makes a new one. If Redis does not answer or the breaker is open,
    ``fallback`` decides: ``local`` uses buckets of this process, which continue from the last answers of
    Redis; ``open`` allows every request; ``closed`` refuses every request. ``fallbacks`` counts the requests
    that ``fallback`` decided. The keys in Redis begin with ``prefix`` and contain the rate, so a changed rate
    starts with full buckets.
    """

    def __init__(
        self,
        client: Redis,
        rate: Rate,
        *,
        breaker: CircuitBreaker | None = None,
        fallback: Literal["local", "open", "closed"] = "local",
        prefix: str = "crisol",
    ) -> None:
        self.rate = rate
        self.breaker = breaker if breaker is not None else CircuitBreaker("rate_limit", CACHE)
        self.fallback = fallback
        self.fallbacks = 0
        self._client = client
        self._local = TokenBucket(rate)
        self._prefix = f"{prefix}:bucket:gcra1:{rate.name}:"
        limited = rate.interval > 0.0
        self._interval = math.ceil(rate.interval * MICRO) if limited else 0
        self._full = math.ceil(self._interval * rate.burst) if limited else 0

    async def take(self, key: str, cost: float = 1.0) -> float:
        """Take ``cost`` tokens from the bucket of ``key``, or none if the bucket has fewer.

        Returns the room: the seconds in which as many tokens return as are left in the bucket. A negative
        room means that the request is refused, and that the bucket has enough tokens for it after ``-room``
        seconds. A rate without a limit gives infinity. Raises :class:`~crisol.errors.InputError` if ``cost``
        is below 0 or above the rate's burst. A Redis that does not answer is no error: then ``fallback``
        decides.
        """
        self.rate.check_cost(cost)
        if not self._interval:
            return math.inf
        try:
            room = await self.breaker.call(self._ask, key, math.ceil(cost * self._interval)) / MICRO
        except (RedisError, CircuitOpenError, OSError):
            self.fallbacks += 1
            if self.fallback == "local":
                return self._local.take(key, cost)
            return self.rate.full if self.fallback == "open" else -min(self.rate.full, 1.0)
        if self.fallback == "local":
            # A moment without Redis must not give every process a new burst.
            self._local.follow(key, room if room >= 0.0 else room + cost * self.rate.interval)
        return room

    async def decide(self, key: str, cost: float = 1.0) -> BucketDecision:
        """Take ``cost`` tokens from the bucket of ``key``, or none if it has fewer, and return the decision.

        Raises :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst. A Redis
        that does not answer is no error: then ``fallback`` decides.
        """
        return BucketDecision(self.rate, await self.take(key, cost), cost)

    def limit(
        self, *, key: Callable[P, str], cost: float = 1.0
    ) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Return a decorator for ``async`` functions: each call first takes ``cost`` tokens from a bucket.

        ``key`` gets the arguments of the call and returns the key of the bucket. The decorated function
        raises :class:`~crisol.errors.RateLimited` if that bucket holds too few tokens, and
        :class:`~crisol.errors.InputError` if ``cost`` is below 0 or above the rate's burst. The decorator
        raises :class:`~crisol.errors.SettingsError` for a function that is not ``async``.
        """
        return limited(self, key, cost)

    async def peek(self, key: str) -> BucketDecision:
        """Return the state of the bucket of ``key``, as the decision on a request of 0 tokens.

        No token is taken. A Redis that does not answer is no error: then ``fallback`` decides.
        """
        return BucketDecision(self.rate, await self.take(key, 0.0), 0.0)

    async def reset(self, key: str) -> None:
        """Fill the bucket of ``key`` to its burst, in this process and in Redis; an unknown key is no error.

        The circuit breaker is not asked. Raises redis-py's ``RedisError`` if Redis does not answer.
        """
        self._local.reset(key)
        await self._client.delete(self._prefix + key)

    async def _ask(self, key: str, cost: int) -> int:
        arguments = (1, self._prefix + key, self._interval, self._full, cost)
        execute: Callable[..., Awaitable[Any]] = self._client.execute_command
        try:
            return int(await execute("EVALSHA", _SHA, *arguments))
        except NoScriptError:
            return int(await execute("EVAL", _SOURCE, *arguments))
