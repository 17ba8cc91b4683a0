"""A cache of computed records in this process, optionally with a second cache that processes share.

>>> import asyncio
>>> from crisol.records import Prediction
>>> from crisol.resilience.kinds import PREDICTION
>>> cache = Cache()
>>> key = PREDICTION.key("diff --git ...", "CVE-2026-0001", "model-7")
>>> asyncio.run(cache.get_or_compute(PREDICTION, key, lambda: Prediction(0.9, "model-7", "f1"))).probability
0.9
>>> cache.get(PREDICTION, key).probability
0.9
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from crisol.errors import InputError, IntegrityError, SettingsError, UnavailableError
from crisol.resilience.computation import COMPUTING, Computation, produced
from crisol.resilience.lru import OVERHEAD, CacheEntry, KindStats, Lru
from crisol.resilience.memoize import memoized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from crisol.resilience.clock import Clock
    from crisol.resilience.kinds import Kind
    from crisol.resilience.tier import SharedTier

__all__ = ["Cache"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Cache:
    """A cache of records in this process, and optionally in a store that processes share.

    Use an object in one event loop only. The entries take at most ``budget`` bytes of this process; the least
    recently used are removed first. Each entry's lifetime is shortened at random, by at most the share
    ``jitter``, so that entries do not expire all at once. Once an entry has lived for the share ``early`` of
    its lifetime, :meth:`get_or_compute` returns its value and also starts a new computation of it in the
    background.

    ``tier`` is the cache that processes share, None for none. This process keeps a copy of a shared entry for
    at most ``local_seconds``, and notices only after that time that another process invalidated the entry.
    Errors of the tier are counted and treated as misses. ``clock`` returns seconds, ``rng`` a random
    number from 0 to below 1. Raises :class:`~crisol.errors.SettingsError` if a value is out of range.
    """

    def __init__(
        self,
        *,
        budget: int = 64 * 2**20,
        tier: SharedTier | None = None,
        local_seconds: float = 60.0,
        jitter: float = 0.1,
        early: float = 0.9,
        clock: Clock = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if not (budget >= 0 and 0.0 <= jitter < 1.0 and 0.0 < early <= 1.0 and local_seconds > 0.0):
            raise SettingsError(
                f"cache: budget {budget}, jitter {jitter}, early {early} or local_seconds {local_seconds} "
                "is out of range"
            )
        self._lru = Lru(budget)
        self._entries = self._lru.entries
        self._touch = self._entries.move_to_end
        self._tier = tier
        self._local_seconds = local_seconds if tier is not None else math.inf
        self._jitter = jitter
        self._early = early
        self._clock = clock
        self._rng = rng
        self._now = clock()
        self._stats: dict[str, KindStats] = {}
        self._running: dict[bytes, Computation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, kind: Kind[T], key: bytes, default: T | None = None) -> T | None:
        """Return the value that this process has cached for ``key`` and ``kind``, otherwise ``default``.

        ``key`` is the 32 bytes from :meth:`Kind.key`. ``kind`` must be the object with which the value was
        cached; another one of the same name gives ``default``. The shared tier is not asked, and nothing is
        computed. A None that was computed and cached is returned as None, not as ``default``.
        """
        try:
            entry = self._entries[key]
        except KeyError:
            return default
        now = self._clock()
        if now < self._now:
            now = self._now
        else:
            self._now = now
        stats = entry.stats
        if now >= entry.expires or stats.kind is not kind:
            return default
        self._touch(key)
        stats.hits += 1
        value: T | None = entry.stored
        return value if kind.shared else kind.codec.decode(key, entry.stored)

    async def get_or_compute(
        self,
        kind: Kind[T],
        key: bytes,
        fn: Callable[[], T | Awaitable[T | None] | None],
        ttl: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> T | None:
        """Return the cached value of ``key``; without one, return the result of ``fn`` and cache it.

        ``key`` is the 32 bytes from :meth:`Kind.key`. ``fn()`` returns the value or an awaitable of it.
        ``ttl`` is the entry's lifetime in seconds; None means the lifetime of ``kind``, 0 caches nothing. A
        None from ``fn`` is cached for at most the kind's ``negative_ttl`` seconds. ``tags`` are names by
        which :meth:`invalidate` finds the entry. Concurrent callers with one key share one call of ``fn``; if
        one caller is cancelled, the others still get the value.

        Raises what ``fn`` raises (nothing is cached then), and :class:`~crisol.errors.InputError` if the key,
        ``ttl`` or the result's type is wrong, if ``fn`` itself asks the cache for ``key``, or if this cache
        has another :class:`Kind` object of the same name.
        """
        entry = self._entries.get(key)
        if entry is not None and entry.stats.kind is kind:
            now = self._time()
            if now < entry.expires:
                self._touch(key)
                entry.stats.hits += 1
                if now >= entry.fresh_until and key not in self._running:
                    entry.stats.refreshes += 1
                    self._start(Computation(kind, key, fn, self._life(kind, ttl), entry.tags, refresh=True))
                value: T | None = entry.stored
                return value if kind.shared else kind.codec.decode(key, entry.stored)
        computation = self._running.get(key)
        if computation is None or computation.kind is not kind:
            if not isinstance(key, bytes) or len(key) != 32:
                raise InputError(f"cache key {key!r}: it must be the 32 bytes that kind.key(...) returns")
            computation = Computation(
                kind, key, fn, self._life(kind, ttl), tuple(sorted(set(tags))), refresh=False
            )
            self._start(computation)
        asker = COMPUTING.get()
        if asker is not None:
            if computation.needs(asker):
                raise InputError(f"a {kind.name} is computed from itself: its function asks for its own key")
            asker.awaits.append(computation)
        try:
            stored: T | None = await asyncio.shield(computation.future)
        except BaseException as error:
            if computation.failed_with(error):
                # Every waiter gets the same exception object: without this its traceback would grow with
                # each.
                raise error.with_traceback(computation.trace)  # noqa: B904 - it is the same error, and its own cause
            raise
        finally:
            if asker is not None:
                asker.awaits.remove(computation)
        return stored if kind.shared else kind.codec.decode(key, cast("bytes", stored))

    def memoize(
        self, *, ttl: float, tags: tuple[str, ...] = ()
    ) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Return a decorator that caches the results of an ``async`` function for ``ttl`` seconds.

        The key is computed from the function's name and its arguments. For an argument of a type that
        :func:`~crisol.resilience.keys.digest` does not take, the call raises
        :class:`~crisol.errors.InputError`. ``tags`` are names by which :meth:`invalidate` finds the entries.
        The decorator raises :class:`~crisol.errors.SettingsError` if the function is not ``async`` or does
        not annotate its return type.

        >>> cache = Cache()
        >>> @cache.memoize(ttl=60.0)
        ... async def square(number: int) -> int:
        ...     print("computing")
        ...     return number * number
        >>> async def twice() -> int:
        ...     return await square(3) + await square(number=3)
        >>> asyncio.run(twice())
        computing
        18
        """
        return memoized(self, ttl, tags)

    @property
    def is_shared(self) -> bool:
        """Whether the cache has a shared tier; without one, only this process sees the entries."""
        return self._tier is not None

    async def invalidate(self, tag: str) -> int:
        """Delete all entries that were cached with ``tag``, in this process and in the shared tier.

        Returns how many entries were deleted in this process. A value with this tag that is being computed at
        the moment is returned to its callers but not cached. Raises :class:`~crisol.errors.UnavailableError`
        if the shared tier does not answer; the entries of this process are deleted even then.
        """
        self._detach(computation for computation in self._running.values() if tag in computation.tags)
        count = self._lru.sweep(lambda entry: tag in entry.tags)
        if self._tier is not None:
            await self._tier.invalidate(tag)
        return count

    async def delete(self, key: bytes) -> bool:
        """Delete the entry of ``key`` in this process and in the shared tier.

        Returns whether this process had such an entry. A value of the key that is being computed at the
        moment is returned to its callers but not cached. Raises :class:`~crisol.errors.UnavailableError` if
        the shared tier does not answer; the entry of this process is deleted even then.
        """
        self._detach(computation for computation in self._running.values() if computation.key == key)
        deleted = self._lru.drop(key)
        if self._tier is not None:
            await self._tier.delete(key)
        return deleted

    async def clear(self) -> int:
        """Delete all entries in this process and in the shared tier.

        Returns how many entries were deleted in this process. Values that are being computed at the moment
        are returned to their callers but not cached. Raises :class:`~crisol.errors.UnavailableError` if the
        shared tier does not answer; the entries of this process are deleted even then.
        """
        self._detach(self._running.values())
        count = self._lru.sweep(lambda _: True)
        if self._tier is not None:
            await self._tier.clear()
        return count

    async def drain(self) -> None:
        """Wait until no computation and no write to the shared tier is running in the background."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def stats(self) -> list[KindStats]:
        """Return the counters of each kind of entry, in the order in which the kinds were first used.

        They are the cache's own objects: later look-ups change them.
        """
        return list(self._stats.values())

    @property
    def weight(self) -> int:
        """The estimated memory that the entries take in this process, in bytes."""
        return self._lru.bytes

    def _time(self) -> float:
        # A clock that is set back must not lengthen the lifetime of an entry.
        now = self._clock()
        if now < self._now:
            return self._now
        self._now = now
        return now

    def _life(self, kind: Kind[Any], ttl: float | None) -> float:
        if ttl is None:
            return kind.ttl
        if not 0.0 <= ttl < math.inf:
            raise InputError(f"ttl: {ttl} is out of range; it must be finite and not negative")
        return ttl

    def _of(self, kind: Kind[Any]) -> KindStats:
        stats = self._stats.get(kind.name)
        if stats is None:
            stats = self._stats[kind.name] = KindStats(kind)
        elif stats.kind is not kind:
            raise InputError(f"kind {kind.name!r} is in use with another record type; keep one Kind per name")
        return stats

    def _start(self, computation: Computation) -> None:
        stats = self._of(computation.kind)
        self._running[computation.key] = computation
        task = asyncio.create_task(self._run(computation, stats), name=f"cache-{computation.kind.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _detach(self, computations: Iterable[Computation]) -> None:
        for computation in list(computations):
            computation.stale = True
            self._running.pop(computation.key, None)

    async def _run(self, computation: Computation, stats: KindStats) -> None:
        COMPUTING.set(computation)
        try:
            ticket = await self._look_up(computation, stats)
            if ticket is None:
                return
            entry, life = await self._produce(computation, stats)
        except asyncio.CancelledError:
            computation.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is passed on to everybody who waits
            computation.fail(error)
            if computation.refresh:
                log.warning("refreshing a %s failed: %s", computation.kind.name, error)
            return
        except BaseException as error:
            computation.fail(error)
            raise
        finally:
            if self._running.get(computation.key) is computation:
                del self._running[computation.key]
        if self._tier is not None and ticket and life > 0.0 and not computation.stale:
            await self._tell(stats, self._tier.put(computation.key, computation.tags, entry, life, ticket))

    async def _look_up(self, computation: Computation, stats: KindStats) -> bytes | None:
        """Return None if the shared tier has the value, else the ticket with which a value is stored.

        With None the computation is completed, and nothing needs to be computed. The ticket, an argument of
        :meth:`SharedTier.put`, is empty if there is no tier, or it does not answer. A damaged entry counts as
        no value; for a refresh, so does one that has lived for the share ``early`` of its lifetime.
        """
        if self._tier is None:
            return b""
        try:
            answer = await self._tier.get(computation.key, computation.tags)
        except UnavailableError:
            stats.errors += 1
            return b""
        late = answer.remaining < computation.ttl * (1.0 - self._early)
        if answer.entry is None or (computation.refresh and late):
            return answer.ticket
        try:
            value = computation.kind.codec.decode(computation.key, answer.entry)
        except IntegrityError:
            stats.corrupt += 1
            await self._tell(stats, self._tier.delete(computation.key))
            return answer.ticket
        stats.shared_hits += 1
        stored = value if computation.kind.shared else answer.entry
        life = max(answer.remaining, 1.0)
        self._keep(computation, stats, stored, len(answer.entry), life, renew=late)
        computation.resolve(stored)
        return None

    async def _produce(self, computation: Computation, stats: KindStats) -> tuple[bytes, float]:
        stats.misses += 1
        value = await produced(computation)
        kind = computation.kind
        try:
            entry = kind.codec.encode(computation.key, value)
            # The cache keeps the decoded form of the encoded value: no caller can change it, and all
            # processes see the same.
            copy = kind.codec.decode(computation.key, entry)
        except (InputError, IntegrityError) as error:
            raise InputError(
                f"kind {kind.name!r}: a {type(value).__name__} does not fit its type: {error}"
            ) from error
        life = computation.ttl if value is not None else min(computation.ttl, kind.negative_ttl)
        life *= 1.0 - self._jitter * self._rng()
        stored = copy if kind.shared else entry
        self._keep(computation, stats, stored, len(entry), life, renew=False)
        computation.resolve(stored)
        return entry, life

    def _keep(
        self, computation: Computation, stats: KindStats, stored: Any, size: int, life: float, *, renew: bool
    ) -> None:
        if computation.stale or life <= 0.0:
            return
        now = self._time()
        local = min(life, self._local_seconds)
        # A copy that ends before its original is not refreshed early: looking it up again is cheap.
        fresh = now if renew else now + (life * self._early if local == life else local)
        self._lru.put(
            computation.key,
            CacheEntry(stored, stats, size + OVERHEAD, fresh, now + local, tags=computation.tags),
        )

    async def _tell(self, stats: KindStats, telling: Coroutine[Any, Any, None]) -> None:
        try:
            await telling
        except UnavailableError:
            stats.errors += 1
