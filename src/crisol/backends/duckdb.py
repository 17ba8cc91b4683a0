"""A trial store in a DuckDB file: no server is needed; the processes that use the file take turns."""

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


def _locked_elsewhere(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _connect(where: str) -> duckdb.DuckDBPyConnection:
    # A trial log needs no other file, and a hostile value must not open one.
    return duckdb.connect(where, read_only=_write_protected(where), config={"enable_external_access": False})


def _write_protected(where: str) -> bool:
    return where != _MEMORY and Path(where).is_file() and not os.access(where, os.W_OK)


class _File:
    """A DuckDB file that is open only while a :meth:`cursor` is in use, so that processes can take turns.

    A thread that writes must hold the lock ``writing``, because DuckDB refuses a row that two transactions
    insert at the same time.
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
        """Yield a new connection; wait about ``patience`` seconds while another process has locked the file.

        ``sleep(seconds)`` is called between two attempts to open the file. Raises ``duckdb.IOException`` if
        the file stays locked or cannot be opened.
        """
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
                if not _locked_elsewhere(error):
                    raise
                sleep(_PAUSE)
        return _connect(self._where)


# With two objects of one path, one might open the file while the other closes it, which DuckDB refuses.
@cache
def _file(where: str) -> _File:
    return _File(where)


def _parameter(name: str) -> str:
    return f"${name}"


class DuckDBStore:
    """A trial store in the DuckDB file ``path``, or in memory for ``":memory:"``.

    Safe across threads and across the processes of one machine. Only one process can have the file open at a
    time, so each call opens and closes it; a call waits at most ``patience`` seconds for another process, and
    then raises :class:`~crisol.errors.StoreError`. Append many trials in one call, which is far faster than
    one by one.

    Making a store creates the file and migrates its schema, unless ``upgrade`` is False or this user cannot
    write the file. ``initial`` is the switch of A/B testing until :meth:`flip` stores another; None means
    off. ``clock`` returns the present time, with a time zone; :meth:`append` raises
    :class:`~crisol.errors.InputError` for a trial dated more than five minutes after that time.
    ``sleep(seconds)`` is called while waiting for the file. The constructor raises
    :class:`~crisol.errors.IntegrityError` for a file that is no DuckDB database, and
    :class:`~crisol.errors.StoreError` if it cannot be opened.
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
            if upgrade and not _write_protected(self._where):
                migrate.upgrade(self)
            else:
                with self._cursor():
                    pass
        except CrisolError:
            self.close()
            raise

    def append(self, trials: Sequence[Trial]) -> int:
        """Store ``trials``, all or none; return how many were new.

        A trial whose id is stored already is ignored. Raises :class:`~crisol.errors.InputError` for a trial
        with a value out of range or dated in the future, and :class:`~crisol.errors.StoreError` if the file
        cannot be used. After either error nothing is stored.
        """
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
        """Return those of the trial ids ``ids`` that are not stored.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be used.
        """
        rows = self._query("SELECT id FROM trials WHERE id IN (SELECT unnest($ids))", {"ids": list(ids)})
        return set(ids) - {id_ for (id_,) in rows}

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """Yield the trials that match ``where``, ordered by ``created_at``, then id.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be used, and
        :class:`~crisol.errors.IntegrityError` for a row that is no trial.
        """
        condition, values = sql.conditions(where, _parameter)
        query = f"SELECT {_READ} FROM trials WHERE {condition} ORDER BY created_at, id"  # noqa: S608 - constants
        return self._rows(query, values)

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """Return the ``limit`` newest trials that match ``where``, the newest first.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be used, and
        :class:`~crisol.errors.IntegrityError` for a row that is no trial.
        """
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
        """Return the tally of each group of the trials that match ``where``, in a dict sorted by key.

        ``by`` lists the properties to group by, such as ``Slice.ARM``; without ``by`` all trials are one
        group. A key holds the text of each property, in the order of ``by``. A group without trials is
        absent. Each tally compares answers with verdicts: the answers to the callers if ``by`` contains the
        rung, otherwise the predictions of the model. Raises :class:`~crisol.errors.StoreError` if the file
        cannot be used.
        """
        return sql.tallies_of(self._query(*sql.tallies_query(where, by, _parameter)), by)

    def switch(self) -> Switch:
        """Return the switch that :meth:`flip` stored last; before that, the store's ``initial`` switch.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be used, and
        :class:`~crisol.errors.IntegrityError` if the stored rate or salt is one that
        :class:`~crisol.abtest.store.Switch` refuses.
        """
        rows = self._query("SELECT enabled, rate, salt FROM switch", {})
        try:
            return Switch(*rows[0]) if rows else self._initial
        except SettingsError as error:
            raise IntegrityError(f"{self._where}: the switch is corrupt: {error}") from None

    def flip(self, switch: Switch) -> None:
        """Store ``switch`` as the present one, for every process that uses the file.

        Raises :class:`~crisol.errors.StoreError` if the file cannot be used.
        """
        values = {"enabled": switch.enabled, "rate": switch.rate, "salt": switch.salt}
        with self._file.writing:
            self._query("INSERT OR REPLACE INTO switch VALUES (TRUE, $enabled, $rate, $salt)", values)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Return a context manager that yields a function ``execute(sql)``, which returns the rows.

        All calls in the block are one transaction: leaving the block commits it, an exception rolls it back.
        No other process can open the file meanwhile. Raises :class:`~crisol.errors.StoreError` if the file
        cannot be used.
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
        """Make all later calls raise :class:`~crisol.errors.StoreError`; closing twice is harmless."""
        self._closed = True

    def _query(self, text: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            return cursor.execute(text, values).fetchall()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
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
            if _locked_elsewhere(error):
                text += (
                    f"; waited {self._patience:g} s for the other program to let it go; end it, or let all "
                    "share a PostgreSQL (DATABASE_URL)"
                )
            raise StoreError(f"{self._where}: {text}") from error
