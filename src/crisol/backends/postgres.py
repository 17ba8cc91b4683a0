"""A trial store in PostgreSQL, which many processes and machines share."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

from crisol.abtest.store import EVERYTHING, Switch, utc_now
from crisol.abtest.tally import Slice, Tally
from crisol.abtest.trial import COLUMNS, check, from_row, to_row
from crisol.backends import migrate, sql
from crisol.backends.background import Background
from crisol.errors import IntegrityError, SettingsError, StoreError, redacted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from crisol.abtest.store import TrialFilter
    from crisol.records import Trial

__all__ = ["PostgresStore"]

T = TypeVar("T")
Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
Work = Callable[[Connection], Coroutine[Any, Any, T]]


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args = redacted(record.getMessage()), ()
    return True


# The pool's log records quote the connection string; in a notebook no other formatter hides it.
logging.getLogger("psycopg.pool").addFilter(_redact)

_MIGRATION_LOCK = 0x63_72_69_73_6F_6C
_MIGRATION_SECONDS = 3600.0
_PAGE = 10_000
_HOUR = dt.timedelta(hours=1)
_HOURLY = {
    Slice.EXPERIMENT: "experiment",
    Slice.ARM: "arm",
    Slice.MODEL: "model_version",
    Slice.HOUR: "hour",
    Slice.DAY: "date_trunc('day', hour)",
    Slice.CWE: "value",
    Slice.BAND: "value",
}
_VALUES = {None: "''", Slice.CWE: "cwe", Slice.BAND: f"({sql.BAND})::text"}
_COLUMNS = ", ".join(COLUMNS)
_INSERT = (
    f"INSERT INTO trials ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(COLUMNS))}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
)
_FEW = 20
_READ = ", ".join("attributions::text" if name == "attributions" else name for name in COLUMNS)


def _parameter(name: str) -> str:
    return f"%({name})s"


class PostgresStore:
    """A trial store in the PostgreSQL database ``dsn``, a connection string or URL of libpq.

    Safe across threads, forks, processes and machines. The first call, not the constructor, connects and
    migrates the schema. At most ``connections`` are open at a time. Every call except the migration ends
    within ``seconds``; a server that does not answer raises :class:`~crisol.errors.StoreError`. ``clock``
    returns the present time, with a time zone; a trial that is dated more than five minutes after the present
    time is refused with :class:`~crisol.errors.InputError`. ``initial`` is the switch until :meth:`flip`
    stores another; None means off.
    """

    engine = "postgres"

    def __init__(
        self,
        dsn: str,
        *,
        seconds: float = 5.0,
        connections: int = 4,
        clock: Callable[[], dt.datetime] = utc_now,
        initial: Switch | None = None,
    ) -> None:
        self._clock = clock
        self._initial = initial or Switch()
        self._seconds = seconds
        self._migrated = threading.Event()
        self._pool: Background[Pool] = Background(
            lambda: AsyncConnectionPool(
                dsn,
                open=False,
                min_size=0,
                max_size=connections,
                configure=_prepare,
                # Without this limit a caller after an outage would wait for a pause that grew during the
                # outage.
                reconnect_timeout=seconds,
                kwargs={
                    "autocommit": True,
                    "connect_timeout": max(2, round(seconds)),
                    "application_name": "crisol",
                    # Without it a database that was made without a locale (SQL_ASCII) would return bytes for
                    # text.
                    "client_encoding": "UTF8",
                },
            )
        )

    def append(self, trials: Sequence[Trial]) -> int:
        """Store ``trials``, all or none; return how many were new.

        A trial whose id is stored already is ignored. Raises :class:`~crisol.errors.InputError` for a trial
        with a value out of range or dated in the future, and :class:`~crisol.errors.StoreError` if the
        database cannot be used. After either error nothing is stored.
        """
        now = self._clock()
        for trial in trials:
            check(trial, now)
        if not trials:
            return 0
        rows = {trial.id: tuple(to_row(trial).values()) for trial in reversed(trials)}

        # One order for all writers, or two of them could wait for each other.
        ordered = [rows[id_] for id_ in sorted(rows)]
        work = _insert if len(ordered) <= _FEW else _copy
        return self._run(lambda connection: work(connection, ordered))

    def missing(self, ids: Collection[str]) -> set[str]:
        """Return those of the trial ids ``ids`` that are not stored.

        Raises :class:`~crisol.errors.StoreError` if the database cannot be used.
        """
        rows = self._query("SELECT id FROM trials WHERE id = ANY(%(ids)s)", {"ids": list(ids)})
        return set(ids) - {id_ for (id_,) in rows}

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials that match ``where``, ordered by ``created_at``, then id.

        The trials are fetched in pages, and no connection is held between two pages. Raises
        :class:`~crisol.errors.StoreError` if the database cannot be used, and
        :class:`~crisol.errors.IntegrityError` for a row that is no trial.
        """
        condition, values = sql.conditions(where, _parameter)
        after = ""
        while True:
            rows = self._query(
                f"SELECT {_READ} FROM trials WHERE {condition} {after} ORDER BY created_at, id LIMIT {_PAGE}",  # noqa: S608 - constants
                values,
            )
            for row in rows:
                yield from_row(dict(zip(COLUMNS, row, strict=True)), "PostgreSQL")
            if len(rows) < _PAGE:
                return
            after = "AND (created_at, id) > (%(last_time)s, %(last_id)s)"
            values |= {"last_time": rows[-1][COLUMNS.index("created_at")], "last_id": rows[-1][0]}

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the ``limit`` newest trials that match ``where``, the newest first.

        Raises :class:`~crisol.errors.StoreError` if the database cannot be used, and
        :class:`~crisol.errors.IntegrityError` for a row that is no trial.
        """
        condition, values = sql.conditions(where, _parameter)
        rows = self._query(
            f"SELECT {_READ} FROM trials WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT %(limit)s",  # noqa: S608 - constants
            values | {"limit": limit},
        )
        return [from_row(dict(zip(COLUMNS, row, strict=True)), "PostgreSQL") for row in rows]

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Return the tally of each group of the trials that match ``where``, in a dict sorted by key.

        ``by`` lists the properties to group by, such as ``Slice.ARM``; without ``by`` all trials are one
        group. A key holds the text of each property, in the order of ``by``. A group without trials is
        absent. Each tally compares answers with verdicts: the answers to the callers if ``by`` contains the
        rung, otherwise the predictions of the model. Grouping by rung, or by both CWE and confidence, is
        slow, since it reads all the trials. Raises :class:`~crisol.errors.StoreError` if the database cannot
        be used.
        """
        named = {Slice.CWE} if where.cwe is not None else set()
        parts = (named | set(by)) & {Slice.CWE, Slice.BAND}
        if len(parts) > 1 or Slice.RUNG in by:
            return sql.tallies_of(self._query(*sql.tallies_query(where, by, _parameter)), by)
        return sql.tallies_of(self._query(*_hourly_query(where, by, next(iter(parts), None))), by)

    def switch(self) -> Switch:
        """Return the switch that :meth:`flip` stored last; before that, the store's ``initial`` switch.

        Raises :class:`~crisol.errors.StoreError` if the database cannot be used, and
        :class:`~crisol.errors.IntegrityError` if the stored rate or salt is one that
        :class:`~crisol.abtest.store.Switch` refuses.
        """
        rows = self._query("SELECT enabled, rate, salt FROM switch", {})
        try:
            return Switch(*rows[0]) if rows else self._initial
        except SettingsError as error:
            raise IntegrityError(f"PostgreSQL: the switch is corrupt: {error}") from None

    def flip(self, switch: Switch) -> None:
        """Store ``switch`` as the present one, for every process that uses the database.

        Raises :class:`~crisol.errors.StoreError` if the database cannot be used.
        """
        text = """
            INSERT INTO switch VALUES (TRUE, %(enabled)s, %(rate)s, %(salt)s)
            ON CONFLICT (only_row)
            DO UPDATE SET enabled = excluded.enabled, rate = excluded.rate, salt = excluded.salt
        """
        values = {"enabled": switch.enabled, "rate": switch.rate, "salt": switch.salt}

        async def work(connection: Connection) -> None:
            await connection.execute(text, values)

        self._run(work)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Return a context manager that yields a function ``execute(sql)``, which returns the rows.

        All calls in the block are one transaction: leaving the block commits it, an exception rolls it back.
        No other process migrates the database meanwhile. Raises :class:`~crisol.errors.StoreError` if the
        database cannot be used.
        """
        stack = AsyncExitStack()

        async def hold(pool: Pool) -> Connection:
            connection = await stack.enter_async_context(pool.connection(timeout=self._seconds))
            stack.enter_context(_deadline(connection, asyncio.get_running_loop().time() + _MIGRATION_SECONDS))
            await stack.enter_async_context(connection.transaction())
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            return connection

        def let_go() -> None:
            error = sys.exc_info()
            self._pool.call(lambda _: stack.__aexit__(*error))

        with _translated():
            try:
                connection = self._pool.call(hold)
                yield lambda text: self._pool.call(lambda _: _fetch(connection, text))
            except BaseException:
                let_go()
                raise
            let_go()

    def close(self) -> None:
        """Wait for the running calls and close the connections; later calls raise ``StoreError``.

        Closing twice is harmless.
        """
        self._pool.close()

    def _query(self, text: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self._run(lambda connection: _fetch(connection, text, values))

    def _run(self, work: Work[T]) -> T:
        if not self._migrated.is_set():
            migrate.upgrade(self)
            self._migrated.set()
        with _translated():
            return self._pool.call(lambda pool: self._attempts(pool, work))

    async def _attempts(self, pool: Pool, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        try:
            return await _attempt(pool, work, end - loop.time())
        except psycopg.OperationalError:
            if loop.time() >= end:
                raise
            await pool.drain()
            return await _attempt(pool, work, end - loop.time())


async def _attempt(pool: Pool, work: Work[T], seconds: float) -> T:
    end = asyncio.get_running_loop().time() + seconds
    async with pool.connection(timeout=seconds) as connection:
        with _deadline(connection, end):
            return await work(connection)


async def _insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    async with connection.transaction(), connection.cursor() as cursor:
        # One pipeline sends all the statements, in a single round trip.
        await cursor.executemany(_INSERT, rows)
        return cursor.rowcount


async def _copy(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    async with connection.transaction(), connection.cursor() as cursor:
        # COPY into the table of trials itself would fail for an id that the table already has.
        await cursor.execute("CREATE TEMP TABLE IF NOT EXISTS incoming (LIKE trials) ON COMMIT DELETE ROWS")
        async with cursor.copy(f"COPY incoming ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                await copy.write_row(row)
        await cursor.execute("INSERT INTO trials SELECT * FROM incoming ORDER BY id ON CONFLICT DO NOTHING")
        return cursor.rowcount


async def _fetch(
    connection: Connection, text: str, values: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(text.encode(), values)
    return await cursor.fetchall() if cursor.description else []


async def _prepare(connection: Connection) -> None:
    # IF NOT EXISTS would cause the notice "already exists, skipping". A prepared statement would get one plan
    # for windows of any length, which reads all trials.
    await connection.execute("SET client_min_messages = warning; SET plan_cache_mode = force_custom_plan")


@contextlib.contextmanager
def _deadline(connection: Connection, end: float) -> Iterator[None]:
    """Shut the connection's socket down if the block runs beyond ``end``, a time of the event loop's clock.

    A cancelled task would not end in time: psycopg then waits for the server's answer to a request to cancel
    the query, and a server that hangs never answers.
    """

    def cut() -> None:
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as ours,
        ):
            ours.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_at(end, cut)
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise StoreError(f"PostgreSQL: {str(error).strip() or type(error).__name__}") from error


def _hourly_query(where: TrialFilter, by: Sequence[Slice], part: Slice | None) -> tuple[str, dict[str, Any]]:
    """Return the SQL query of tallies from the sums in ``trial_hours``, and its parameters by name.

    Only the incomplete hours at the beginning and the end of the period are read from the table of trials.
    ``part`` must be ``Slice.CWE`` if ``where`` or ``by`` names the CWE, ``Slice.BAND`` if ``by`` names the
    band of confidence, None otherwise.
    """
    condition, values = sql.conditions(where, _parameter)
    names, _ = sql.conditions(
        type(where)(experiment=where.experiment, arm=where.arm, model_version=where.model_version), _parameter
    )
    values["slice"] = part or "all"
    whole, broken = [names, "slice = %(slice)s"], list[str]()
    if where.cwe is not None:
        whole.append("value = %(cwe)s")
    if where.since is not None:
        values["first"] = first = _ceil(where.since)
        whole.append("hour >= %(first)s AT TIME ZONE 'UTC'")
        if first != where.since:
            broken.append("created_at < %(first)s")
    if where.until is not None:
        values["last"] = last = _floor(where.until)
        whole.append("hour < %(last)s AT TIME ZONE 'UTC'")
        if last != where.until:
            broken.append("created_at >= %(last)s")
    columns = [*(_HOURLY[slice_] for slice_ in by), "cell"]
    groups = ", ".join(str(i + 1) for i in range(len(columns)))
    trials = "date_trunc('hour', created_at AT TIME ZONE 'UTC') AS hour, experiment, arm, model_version"
    text = f"""
        SELECT {", ".join(columns)}, sum(n), sum(weight), sum(weight_squared) FROM (
            SELECT hour, experiment, arm, model_version, value, cell, n, weight, weight_squared
            FROM trial_hours WHERE {" AND ".join(whole)}
            UNION ALL
            SELECT {trials}, {_VALUES[part]}, {sql.CELL}, 1, {sql.WEIGHT}, {sql.WEIGHT} * {sql.WEIGHT}
            FROM trials WHERE {condition} AND ({" OR ".join(broken) or "FALSE"})
        ) AS summed GROUP BY {groups}
    """  # noqa: S608 - constants
    return text, values


def _floor(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def _ceil(time: dt.datetime) -> dt.datetime:
    floor = _floor(time)
    return floor if floor == time else floor + _HOUR
