"""The interface of a cache that several processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["SharedTier", "TierEntry"]


@dataclass(frozen=True, slots=True)
class TierEntry:
    """The result of a look-up in the shared tier.

    ``entry`` is the encoded value, None if the tier has no valid entry. ``remaining`` is the rest of the
    entry's lifetime in seconds, as far as the machines' clocks agree; 0 without an entry. ``ticket`` changes
    when one of the tags is invalidated; hand it to ``put``.
    """

    entry: bytes | None
    remaining: float
    ticket: bytes


class SharedTier(Protocol):
    """Encoded cache entries by key, shared between processes, invalidated by tag.

    Every method raises :class:`~crisol.errors.UnavailableError` soon if the tier's server cannot be reached,
    and is safe across tasks and processes. A ``get`` that finds nothing returns a ticket for the
    ``put`` of the computed entry; an entry of which a tag was invalidated in between is never returned.
    """

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        """Look up the entry of ``key``, which was put with the same ``tags``.

        The result's ``entry`` is None if there is no such entry, or one of the tags was invalidated since.
        """
        ...

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:
        """Store ``entry`` under ``key`` for ``ttl`` seconds; ``tags`` are names for :meth:`invalidate`.

        ``ticket`` is from the :meth:`get` of this key and tags before the value was computed.
        """
        ...

    async def delete(self, key: bytes) -> None:
        """Delete the entry of ``key``; no error if there is no such entry."""
        ...

    async def invalidate(self, tag: str) -> None:
        """Delete every entry that was put with ``tag`` among its tags, for all processes."""
        ...

    async def clear(self) -> None:
        """Delete every entry of the tier, for all processes."""
        ...
