"""Make the stores, caches and executors that the settings name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.abtest.journal import Journal, JournaledStore
from crisol.abtest.store import Switch
from crisol.resilience.bucket import Bucket, Rate, TokenBucket
from crisol.resilience.cache import Cache
from crisol.resilience.policy import CACHE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from crisol.abtest.store import TrialStore
    from crisol.backends.migrate import Database
    from crisol.config import Settings
    from crisol.resilience.guard import BreakerRegistry

__all__ = ["Shared", "open_database", "open_journaled_trials", "open_shared", "open_trials", "open_workers"]


@dataclass(frozen=True, slots=True)
class Shared:
    """The cache and the token buckets of a service.

    With Redis all workers share them; without Redis each worker has its own. ``buckets`` maps the name of
    each rate to the object that keeps its buckets, one for each client. ``await ping()`` asks Redis whether
    it is alive and raises ``redis.RedisError`` if no answer comes; ``ping`` is None without Redis.
    """

    cache: Cache
    buckets: Mapping[str, Bucket]
    ping: Callable[[], Awaitable[object]] | None = None


@asynccontextmanager
async def open_shared(
    settings: Settings, rates: Mapping[str, Rate], breakers: BreakerRegistry
) -> AsyncIterator[Shared]:
    """Open the cache and the token buckets of a service; use it as ``async with``.

    ``rates`` maps names to rates. With ``REDIS_URL`` cache and buckets are in Redis, behind the breaker named
    ``cache``, which is added to ``breakers``. While Redis does not answer, every cache lookup is a miss, and
    each process counts tokens by itself. Raises :class:`~crisol.errors.SettingsError` for a malformed
    ``REDIS_URL``.
    """
    budget = settings.cache_mb << 20
    breaker = breakers.create("cache", CACHE)
    if settings.redis_url is None:
        yield Shared(Cache(budget=budget), {name: TokenBucket(rate) for name, rate in rates.items()})
        return
    from crisol.backends.redis import RedisBucket, RedisTier, connect  # noqa: PLC0415 - only where configured

    client = connect(settings.redis_url)
    try:
        yield Shared(
            Cache(budget=budget, tier=RedisTier(client, breaker=breaker)),
            {name: RedisBucket(client, rate, breaker=breaker) for name, rate in rates.items()},
            client.ping,
        )
    finally:
        await client.aclose()


def open_trials(settings: Settings) -> TrialStore:
    """Return the store of the trials: PostgreSQL if a server is set, else the DuckDB file.

    ``DATABASE_URL`` or ``POSTGRES_HOST`` sets the server; the file is ``settings.trials``. The caller closes
    the store. Several processes may use the store at the same time. If the switch of A/B testing was never
    stored, A/B testing is on with the rate ``AB_TEST_RATE``, or off if that is 0. Raises
    :class:`~crisol.errors.StoreError` if the file cannot be opened. A server is not contacted before the
    first method of the store is called; that method raises the error if no server answers.
    """
    # A process loads only the back end that it uses.
    initial = Switch(enabled=settings.ab_test_rate > 0.0, rate=settings.ab_test_rate)
    if settings.postgres_dsn is None:
        from crisol.backends.duckdb import DuckDBStore  # noqa: PLC0415 - see above

        return DuckDBStore(settings.trials, initial=initial)
    from crisol.backends.postgres import PostgresStore  # noqa: PLC0415 - see above

    return PostgresStore(settings.postgres_dsn, initial=initial)


def open_journaled_trials(settings: Settings) -> JournaledStore:
    """Return the store of the trials with a journal, so that no trial is lost while PostgreSQL is down.

    While the store cannot be reached, ``append`` writes to ``trials.journal`` in ``settings.runs``, and every
    other operation raises :class:`~crisol.errors.StoreError`. Call ``replay`` from time to time to move
    trials from the journal into the store. The caller closes the store.

    This function itself does not contact PostgreSQL. If the settings name no PostgreSQL server, the store is
    a DuckDB file; :class:`~crisol.errors.StoreError` is raised if this file cannot be opened.
    """
    return JournaledStore(open_trials(settings), Journal(settings.runs / "trials.journal"))


def open_database(settings: Settings) -> Database:
    """Return the database of the trials, to inspect or migrate its schema. The caller closes it.

    Opening migrates nothing. Raises :class:`~crisol.errors.StoreError` if the database cannot be reached.
    """
    if settings.postgres_dsn is None:
        from crisol.backends.duckdb import DuckDBStore  # noqa: PLC0415 - see above

        return DuckDBStore(settings.trials, upgrade=False)
    from crisol.backends.postgres import PostgresStore  # noqa: PLC0415 - see above

    return PostgresStore(settings.postgres_dsn)


def open_workers(scheduler: str) -> AbstractContextManager[Executor]:
    """Return an executor that runs calls on a Dask cluster, as a context manager that closes the connection.

    ``scheduler`` is the address of the Dask scheduler, such as ``tcp://host:8786``. Raises
    :class:`~crisol.errors.UnavailableError` if no scheduler answers or Dask is not installed.
    """
    from crisol.backends.dask import open_executor  # noqa: PLC0415 - an optional dependency

    return open_executor(scheduler)
