"""The shared tier of the cache in Redis: one round trip for each look-up, one command to invalidate a tag.

A tag that was invalidated in the last two weeks has a stamp in Redis: eight random bytes, which each
invalidation replaces. An entry holds the stamps that its tags had *before* its value was computed. A look-up
reads the entry and the present stamps together, and ignores the entry if they differ. An entry whose tag was
invalidated during the computation is therefore never used, and to invalidate a million entries takes one
``SET``.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from crisol.errors import StoreError
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.policy import CACHE
from crisol.resilience.tier import TierEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from crisol.resilience.clock import Clock

__all__ = ["RedisTier"]

LONGEST = 7 * 86_400
"""The longest lifetime of an entry, in seconds; a tag's stamp lives twice as long as that."""

_EXPIRY = struct.Struct(">d")
_EVERYTHING = "*"
_NONE = bytes(8)


class RedisTier:
    """The shared tier of the cache, in Redis: encoded entries by key, which can be invalidated by tag.

    ``client`` is the connection to Redis, such as :func:`crisol.backends.redis.connect.connect` returns,
    without ``decode_responses``. Calls go through the circuit breaker ``breaker``; None makes a new one. The
    keys in Redis begin with ``prefix``. ``wall`` returns the time of day in seconds since 1970 (UTC), by
    which entries expire on all machines. Every method raises :class:`~crisol.errors.UnavailableError` if
    Redis does not answer or the breaker is open.
    """

    def __init__(
        self,
        client: Redis,
        *,
        breaker: CircuitBreaker | None = None,
        prefix: str = "crisol",
        wall: Clock = time.time,
    ) -> None:
        self.breaker = breaker if breaker is not None else CircuitBreaker("cache", CACHE)
        self._client = client
        self._entry = f"{prefix}:cache:1:e:".encode()
        self._stamp = f"{prefix}:cache:1:t:"
        self._wall = wall

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        """Return the entry of ``key`` and a ticket, with which :meth:`put` stores a new entry for that key.

        ``tags`` are the tags of the entry, the same as for :meth:`put`. The result's ``entry`` is None if
        there is no such entry, or if one of its tags was invalidated. Raises
        :class:`~crisol.errors.UnavailableError` if Redis does not answer.
        """
        names = [self._stamp + tag for tag in (_EVERYTHING, *tags)]
        raw, *stamps = await self._do("MGET", self._entry + key, *names)
        ticket = _ticket(tags, stamps)
        if raw is None:
            return TierEntry(None, 0.0, ticket)
        head = _EXPIRY.size + len(ticket)
        if raw[_EXPIRY.size : head] != ticket:
            return TierEntry(None, 0.0, ticket)
        (expires,) = _EXPIRY.unpack_from(raw)
        # NaN, from a damaged entry, compares false and becomes 0.
        remaining = expires - self._wall()
        return TierEntry(raw[head:], remaining if 0.0 < remaining < LONGEST else 0.0, ticket)

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:  # noqa: ARG002 - the ticket speaks for the tags here; other stores may index them
        """Store the encoded ``entry`` under ``key`` for ``ttl`` seconds, at most a week.

        A longer ``ttl`` means a week, and is no error. ``tags`` are names by which :meth:`invalidate` finds
        the entry. ``ticket`` is the one that :meth:`get` returned for this key and these tags before the
        value was computed. Raises :class:`~crisol.errors.UnavailableError` if Redis does not answer.
        """
        seconds = min(ttl, LONGEST)
        raw = _EXPIRY.pack(self._wall() + seconds) + ticket + entry
        await self._do("SET", self._entry + key, raw, "PX", max(round(seconds * 1000), 1))

    async def delete(self, key: bytes) -> None:
        """Delete the entry of ``key``; a key without an entry is no error.

        Raises :class:`~crisol.errors.UnavailableError` if Redis does not answer.
        """
        await self._do("DEL", self._entry + key)

    async def invalidate(self, tag: str) -> None:
        """Make every entry invalid that was put with ``tag`` among its tags; ``*`` means all entries.

        Redis frees the memory when the entries' lifetimes end. Raises
        :class:`~crisol.errors.UnavailableError` if Redis does not answer.
        """
        if tag == _EVERYTHING:
            await self.clear()
        else:
            await self._restamp(tag)

    async def clear(self) -> None:
        """Make every entry invalid; Redis frees the memory when the entries' lifetimes end.

        Raises :class:`~crisol.errors.UnavailableError` if Redis does not answer.
        """
        await self._restamp(_EVERYTHING)

    async def _restamp(self, tag: str) -> None:
        await self._do("SET", self._stamp + tag, secrets.token_bytes(8), "EX", LONGEST * 2)

    async def _do(self, *command: bytes | str | float) -> Any:
        try:
            return await self.breaker.call(self._client.execute_command, *command)
        except (RedisError, OSError) as error:
            raise StoreError(f"the Redis behind the cache failed: {error or type(error).__name__}") from error


def _ticket(tags: tuple[str, ...], stamps: Sequence[bytes | None]) -> bytes:
    """Return a hash, 16 bytes, that changes when ``*`` or one of ``tags`` is invalidated.

    A stamp is the random mark that the last invalidation of a tag left in Redis, None if there is no mark.
    ``stamps`` are that of the tag ``*``, then those of ``tags`` in their order.
    """
    marks = b"".join(stamp or _NONE for stamp in stamps)
    return hashlib.blake2b("\0".join(tags).encode() + b"\0" + marks, digest_size=16).digest()
