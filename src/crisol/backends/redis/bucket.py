"""Token buckets in Redis: one round trip a decision, by the server's clock."""

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
    """Buckets of one rate that all processes on one Redis share.

    The key names algorithm and policy, so a changed policy starts afresh and never misreads an old number.
    When Redis is away, or the breaker holds calls to it back, ``fallback`` decides: ``local`` by buckets of
    the same rate in this process, which go on from what Redis said last, ``open`` lets all pass, ``closed``
    refuses all.
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
        """Take ``cost`` tokens from the bucket of ``key``, or none; returns the room in seconds.

        Raises :class:`~crisol.errors.InputError` for a cost that no full bucket could pay, and never because
        of Redis.
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
            # A Redis that is late for a moment must not be worth a new burst from every process.
            self._local.follow(key, room if room >= 0.0 else room + cost * self.rate.interval)
        return room

    async def decide(self, key: str, cost: float = 1.0) -> BucketDecision:
        """Like :meth:`take`, with the number explained."""
        return BucketDecision(self.rate, await self.take(key, cost), cost)

    def limit(
        self, *, key: Callable[P, str], cost: float = 1.0
    ) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Return a decorator that takes ``cost`` tokens a call; ``key`` names the bucket by the arguments.

        The decorated ``async`` function raises :class:`~crisol.errors.RateLimited` where there are too few.
        """
        return limited(self, key, cost)

    async def peek(self, key: str) -> BucketDecision:
        """Return the state of the bucket of ``key``, and take no token."""
        return BucketDecision(self.rate, await self.take(key, 0.0), 0.0)

    async def reset(self, key: str) -> None:
        """Fill the bucket of ``key``, here and in Redis; raises ``RedisError`` when Redis is away."""
        self._local.reset(key)
        await self._client.delete(self._prefix + key)

    async def _ask(self, key: str, cost: int) -> int:
        arguments = (1, self._prefix + key, self._interval, self._full, cost)
        execute: Callable[..., Awaitable[Any]] = self._client.execute_command
        try:
            return int(await execute("EVALSHA", _SHA, *arguments))
        except NoScriptError:
            return int(await execute("EVAL", _SOURCE, *arguments))
