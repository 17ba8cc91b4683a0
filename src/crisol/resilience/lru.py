"""The entries of a cache in this process: bounded in bytes; the least recently used are removed first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.resilience.kinds import Kind

__all__ = ["CacheEntry", "KindStats", "Lru"]

# The bytes of an entry in addition to its encoded value: its record, its key, its place in the order.
OVERHEAD = 450


@dataclass(slots=True)
class KindStats:
    """The counters of ``kind``, one kind of cache entry, since the cache was made.

    - ``hits``: look-ups that this process's memory answered. ``shared_hits``: values taken from the shared
      tier. ``misses``: values that had to be computed.
    - ``errors``: failed calls of the shared tier. ``corrupt``: entries of the shared tier that could not be
      decoded.
    - ``refreshes``: computations that the cache started in the background, to renew a value before it
      expires.
    - ``evictions``: entries removed to make space.
    - ``entries``, ``bytes``: the number of entries that this process holds now, and their size.
    """

    kind: Kind[Any]
    hits: int = 0
    shared_hits: int = 0
    misses: int = 0
    errors: int = 0
    corrupt: int = 0
    refreshes: int = 0
    evictions: int = 0
    entries: int = 0
    bytes: int = 0


class CacheEntry:
    """One cached value: ``stored`` is the record itself if its type is immutable, otherwise its encoding.

    ``size`` is in bytes. A look-up by :meth:`Cache.get_or_compute` after ``fresh_until`` still returns the
    value, and also starts a new computation of it in the background. From ``expires`` on the entry is not
    used. Both are times in seconds of the cache's clock. ``tags`` are names by which the entry can be
    invalidated; ``stats`` are the counters of its kind.
    """

    __slots__ = ("expires", "fresh_until", "size", "stats", "stored", "tags")

    def __init__(
        self,
        stored: Any,
        stats: KindStats,
        size: int,
        fresh_until: float,
        expires: float,
        *,
        tags: tuple[str, ...],
    ) -> None:
        self.stored = stored
        self.stats = stats
        self.size = size
        self.fresh_until = fresh_until
        self.expires = expires
        self.tags = tags


class Lru:
    """Cache entries by key, at most ``budget`` bytes in all; the least recently used are removed first.

    ``entries`` maps the keys to the entries, the least recently used first. To look up an entry, read it in
    ``entries``, and then call ``entries.move_to_end(key)``, which marks it as used. ``bytes`` is the size of
    all entries together.
    """

    __slots__ = ("budget", "bytes", "entries")

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self.entries: OrderedDict[bytes, CacheEntry] = OrderedDict()

    def put(self, key: bytes, entry: CacheEntry) -> None:
        """Store ``entry`` under ``key``, and remove the least recently used entries until all fit the budget.

        An entry that is larger than the whole budget is not stored, and the old entry of the key is removed.
        """
        self.drop(key)
        if entry.size > self.budget:
            return
        self.entries[key] = entry
        self._account(entry, 1)
        while self.bytes > self.budget:
            _, oldest = self.entries.popitem(last=False)
            self._account(oldest, -1)
            oldest.stats.evictions += 1

    def drop(self, key: bytes) -> bool:
        """Remove the entry of ``key``; return whether there was such an entry."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self._account(entry, -1)
        return True

    def sweep(self, doomed: Callable[[CacheEntry], bool]) -> int:
        """Remove the entries for which ``doomed(entry)`` returns True; return how many were removed."""
        keys = [key for key, entry in self.entries.items() if doomed(entry)]
        for key in keys:
            self.drop(key)
        return len(keys)

    def _account(self, entry: CacheEntry, sign: int) -> None:
        self.bytes += sign * entry.size
        entry.stats.bytes += sign * entry.size
        entry.stats.entries += sign
