"""What a cache shared between processes has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["SharedTier", "TierEntry"]


@dataclass(frozen=True, slots=True)
class TierEntry:
    """What a lookup brought: the entry, or None, and a ticket that says which invalidations it has seen.

    ``remaining`` is the rest of the entry's life in seconds, as far as the clocks of two machines agree.
    """

    entry: bytes | None
    remaining: float
    ticket: bytes


class SharedTier(Protocol):
    """Entries by key, shared between processes, invalidated by tag.

    Every method raises :class:`~crisol.errors.UnavailableError` when the store is away, soon rather than
    late, and is safe across tasks and processes. An entry put with a ticket from before an invalidation of
    one of its tags is never found.
    """

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        """Look ``key`` up."""
        ...

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:
        """Keep ``entry`` for ``ttl`` seconds."""
        ...

    async def delete(self, key: bytes) -> None:
        """Forget ``key``."""
        ...

    async def invalidate(self, tag: str) -> None:
        """Forget every entry that carries ``tag``."""
        ...

    async def clear(self) -> None:
        """Forget everything."""
        ...
