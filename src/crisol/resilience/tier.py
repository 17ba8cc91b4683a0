"""The interface of a cache that several processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["SharedTier", "TierEntry"]


@dataclass(frozen=True, slots=True)
class TierEntry:
    """The result of a look-up in the shared tier.

    ``entry`` is the encoded value, None if there is none. ``remaining`` is the rest of its lifetime in
    seconds, as far as the machines' clocks agree; 0 without an entry. ``ticket`` identifies the state of the
    tags' invalidations; hand it to ``put``.
    """

    entry: bytes | None
    remaining: float
    ticket: bytes


class SharedTier(Protocol):
    """Encoded cache entries by key, shared between processes, invalidated by tag.

    Every method raises :class:`~crisol.errors.UnavailableError` soon when the store is away, and is safe
    across tasks and processes. An entry put with a ticket from before an invalidation of one of its tags is
    never returned.
    """

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        """Look up the entry of ``key`` with these tags."""
        ...

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:
        """Store ``entry`` for ``ttl`` seconds.

        ``ticket`` is from the ``get`` before the value was computed.
        """
        ...

    async def delete(self, key: bytes) -> None:
        """Delete the entry of ``key``; no error if there is none."""
        ...

    async def invalidate(self, tag: str) -> None:
        """Delete every entry that was put with ``tag``."""
        ...

    async def clear(self) -> None:
        """Delete every entry."""
        ...
