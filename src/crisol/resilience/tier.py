"""The interface of a cache that several processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["SharedTier", "TierEntry"]


@dataclass(frozen=True, slots=True)
class TierEntry:
    """The result of looking up a key in the cache that processes share.

    ``entry`` is the encoded value, None if the key has no entry or the entry was invalidated. ``remaining``
    is the rest of the entry's lifetime in seconds, 0 without an entry; it is exact only if the clocks of the
    machines agree. If ``entry`` is None, compute and encode the value, and pass it to :meth:`SharedTier.put`
    together with ``ticket``.
    """

    entry: bytes | None
    remaining: float
    ticket: bytes


class SharedTier(Protocol):
    """A cache that processes share: encoded entries by key, which can be invalidated by tag (a name).

    :meth:`get` returns a ticket, with which :meth:`put` stores the computed entry. If one of the entry's tags
    is invalidated between the two calls, no later :meth:`get` returns the entry. Every method is safe across
    tasks and processes, and raises :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
    """

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        """Return the entry of ``key``, and a ticket for a later :meth:`put` under this key.

        ``tags`` are the tags of the entry; name the same ones in :meth:`put`. The ``entry`` of the result is
        None if the key has no entry, or if one of the entry's tags was invalidated. Raises
        :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
        """
        ...

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:
        """Store the encoded ``entry`` under ``key`` for ``ttl`` seconds.

        ``tags`` are names by which :meth:`invalidate` finds the entry. ``ticket`` is the one that :meth:`get`
        returned for this key and these tags before the value was computed. Raises
        :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
        """
        ...

    async def delete(self, key: bytes) -> None:
        """Delete the entry of ``key``; a key without an entry is no error.

        Raises :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
        """
        ...

    async def invalidate(self, tag: str) -> None:
        """Delete, for all processes, every entry that was put with ``tag`` among its tags.

        Raises :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
        """
        ...

    async def clear(self) -> None:
        """Delete every entry, for all processes.

        Raises :class:`~crisol.errors.UnavailableError` if the server cannot be reached.
        """
        ...
