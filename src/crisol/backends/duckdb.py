"""Trials in a DuckDB file: nothing to install; the processes that use it take turns."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from crisol.abtest.store import EVERYTHING, Switch, utc_now
from crisol.abtest.trial import COLUMNS, check, from_row, to_row
from crisol.backends import migrate, sql
from crisol.errors import CrisolError, IntegrityError, SettingsError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from crisol.abtest.store import TrialFilter
    from crisol.abtest.tally import Slice, Tally
    from crisol.records import Trial

__all__ = ["DuckDBStore"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBERS = {"probability", "sampling_probability", "predict_seconds", "wargame_seconds"}
# One list a column crosses into DuckDB far faster than one row at a time, and needs no data frame library.
_INSERT = "INSERT INTO trials SELECT {} ON CONFLICT DO NOTHING".format(
    ", ".join(
        f"unnest(${name}::DOUBLE[])"
        if name in _NUMBERS
        else f"make_timestamptz(unnest(${name}::BIGINT[]))"
        if name == "created_at"
        else f"unnest(${name}::VARCHAR[])"
        for name in COLUMNS
    )
)
_READ = ", ".join("epoch_us(created_at)" if name == "created_at" else name for name in COLUMNS)
_FETCH = 10_000
_PAUSE = 0.02
_MEMORY = ":memory:"
_MICROSECOND = dt.timedelta(microseconds=1)


def _held(error: duckdb.Error) -> bool:
    """Return whether another process has the file."""
    return isinstance(error, duckdb.IOException) and "lock" in str(error)


def _connect(where: str) -> duckdb.DuckDBPyConnection:
    # A trial log never needs another file, and a hostile value must not find a way to one.
    return duckdb.connect(where, read_only=_frozen(where), config={"enable_external_access": False})


def _frozen(where: str) -> bool:
    """Return whether there is a file that this user cannot write: on a read-only disk, say."""
    return where != _MEMORY and Path(where).is_file() and not os.access(where, os.W_OK)


class _File:
    """A DuckDB file that is open while a call of this process uses it, and free for others in between.

    Who writes holds ``writing``: DuckDB refuses a row that two transactions insert at once.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._users = 0
        self.writing = threading.Lock()
        if where == _MEMORY:
            self._connection, self._users = _connect(where), 1  # closed, it would be forgotten

    @contextlib.contextmanager
    def cursor(self, patience: float, sleep: Callable[[float], None]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection of the caller's own; wait ``patience`` seconds for another process."""
        with self._lock:
            if not self._users:
                self._connection = self._opened(patience, sleep)
            self._users += 1
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._connection.close()

    def _opened(self, patience: float, sleep: Callable[[float], None]) -> duckdb.DuckDBPyConnection:
        for _ in range(round(patience / _PAUSE)):
            try:
                return _connect(self._where)
            except duckdb.IOException as error:
                if not _held(error):
                    raise
                sleep(_PAUSE)
        return _connect(self._where)


@cache
def _file(where: str) -> _File:
    """Return the file's one object: DuckDB refuses to open a file that this process is about to close."""
    return _File(where)


def _parameter(name: str) -> str:
    return f"${name}"


class DuckDBStore:
    """A trial store in the DuckDB file ``path``, or in memory for ``:memory:``; see :class:`TrialStore`.

    Safe across threads and across the processes of one machine. DuckDB lets only one process at a time open a
    file, so each call opens the file and closes it again. A call waits ``patience`` seconds for another
    process and then raises :class:`~crisol.errors.StoreError`. Making a store migrates the schema unless
    ``upgrade`` is False. If this user cannot write the file, the store reads it without migrating it.
    ``clock`` returns the present time, in UTC; trials dated over 5 minutes later are refused. ``sleep`` waits
    between two attempts to open the file. ``initial`` is the switch until :meth:`flip` sets another; None
    means off. Append many trials in one call: that is far cheaper than one call for each. Raises
    :class:`~crisol.errors.IntegrityError` for a file that is no DuckDB database.
    """

    engine = "duckdb"

    def __init__(
        self,
        path: Path | str,
        clock: Callable[[], dt.datetime] = utc_now,
        initial: Switch | None = None,
        *,
        upgrade: bool = True,
        patience: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._initial = initial or Switch()
        self._where = str(path)
        self._closed = False
        self._patience = patience
        self._sleep = sleep
        if self._where == _MEMORY:
            self._file = _File(_MEMORY)
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = _file(str(Path(path).absolute()))
        try:
            if upgrade and not _frozen(self._where):
                migrate.upgrade(self)
            else:
                with self._cursor():
                    pass
        except CrisolError:
            self.close()
            raise

    def append(self, trials: Sequence[Trial]) -> int:
        """See :meth:`~crisol.abtest.store.TrialStore.append`."""
        now = self._clock()
        for trial in trials:
            check(trial, now)
        rows = {trial.id: to_row(trial) for trial in reversed(trials)}
        if not rows:
            return 0
        columns = {name: [row[name] for row in rows.values()] for name in COLUMNS}
        columns["created_at"] = [(time - _EPOCH) // _MICROSECOND for time in columns["created_at"]]
        with self._file.writing, self._cursor() as cursor:
            inserted = cursor.execute(_INSERT, columns).fetchone()
        return int(inserted[0]) if inserted else 0

    def missing(self, ids: Collection[str]) -> set[str]:
        """See :meth:`~crisol.abtest.store.TrialStore.missing`."""
        rows = self._query("SELECT id FROM trials WHERE id IN (SELECT unnest($ids))", {"ids": list(ids)})
        return set(ids) - {id_ for (id_,) in rows}

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.read`."""
        condition, values = sql.conditions(where, _parameter)
        query = f"SELECT {_READ} FROM trials WHERE {condition} ORDER BY created_at, id"  # noqa: S608 - constants
        return self._rows(query, values)

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.latest`."""
        condition, values = sql.conditions(where, _parameter)
        query = (
            f"SELECT {_READ} FROM trials WHERE {condition} "  # noqa: S608 - constants
            "ORDER BY created_at DESC, id DESC LIMIT $limit"
        )
        return list(self._rows(query, values | {"limit": limit}))

    def _rows(self, query: str, values: dict[str, Any]) -> Iterator[Trial]:
        with self._cursor() as cursor:
            cursor.execute(query, values)
            while rows := cursor.fetchmany(_FETCH):
                for cells in rows:
                    row = dict(zip(COLUMNS, cells, strict=True))
                    row["created_at"] = _EPOCH + dt.timedelta(microseconds=row["created_at"])
                    yield from_row(row, self._where)

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """See :meth:`~crisol.abtest.store.TrialStore.tallies`."""
        return sql.tallies_of(self._query(*sql.tallies_query(where, by, _parameter)), by)

    def switch(self) -> Switch:
        """See :meth:`~crisol.abtest.store.TrialStore.switch`."""
        rows = self._query("SELECT enabled, rate, salt FROM switch", {})
        try:
            return Switch(*rows[0]) if rows else self._initial
        except SettingsError as error:
            raise IntegrityError(f"{self._where}: the switch is corrupt: {error}") from None

    def flip(self, switch: Switch) -> None:
        """See :meth:`~crisol.abtest.store.TrialStore.flip`."""
        values = {"enabled": switch.enabled, "rate": switch.rate, "salt": switch.salt}
        with self._file.writing:
            self._query("INSERT OR REPLACE INTO switch VALUES (TRUE, $enabled, $rate, $salt)", values)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """See :meth:`~crisol.backends.migrate.Database.exclusive`.

        No other process can open the file meanwhile.
        """
        with self._file.writing, self._cursor() as cursor:
            cursor.begin()
            try:
                yield lambda text: cursor.execute(text).fetchall()
            except BaseException:
                cursor.rollback()
                raise
            cursor.commit()

    def close(self) -> None:
        """See :meth:`~crisol.abtest.store.TrialStore.close`; the file is closed after every call anyway."""
        self._closed = True

    def _query(self, text: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            return cursor.execute(text, values).fetchall()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection of this thread's own; while one is open, the file is closed to others."""
        if self._closed:
            raise StoreError(f"{self._where}: this store was closed")
        with self._translated(), self._file.cursor(self._patience, self._sleep) as cursor:
            yield cursor

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            text = str(error)
            if "not a valid DuckDB" in text:
                raise IntegrityError(f"{self._where} is no DuckDB database: {text}") from error
            if _held(error):
                text += (
                    f"; waited {self._patience:g} s for the other program to let it go; end it, or let all "
                    "share a PostgreSQL (DATABASE_URL)"
                )
            raise StoreError(f"{self._where}: {text}") from error
