"""Trials in a DuckDB file: nothing to install, one process at a time."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
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
_PAUSE = 0.1
_MICROSECOND = dt.timedelta(microseconds=1)


def _held(error: duckdb.Error) -> bool:
    """Return whether another process has the file."""
    return isinstance(error, duckdb.IOException) and "lock" in str(error)


def _parameter(name: str) -> str:
    return f"${name}"


class DuckDBStore:
    """A trial store in the DuckDB file ``path``, or in memory for ``:memory:``; see :class:`TrialStore`.

    Safe across threads; one process at a time can open the file. Another one waits ``patience`` seconds and
    then raises :class:`~crisol.errors.StoreError`. Opening migrates the schema unless ``upgrade`` is False.
    ``initial`` is the switch until one is set, None means off. Append many trials at once: that is far
    cheaper. Raises :class:`~crisol.errors.IntegrityError` for a file that is no DuckDB database.
    """

    engine = "duckdb"

    def __init__(
        self,
        path: Path | str,
        clock: Callable[[], dt.datetime] = utc_now,
        initial: Switch | None = None,
        *,
        upgrade: bool = True,
        patience: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._initial = initial or Switch()
        self._lock = threading.Lock()
        self._where = str(path)
        if self._where != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            # A trial log never needs another file, and a hostile value must not find a way to one.
            options: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
            for _ in range(round(patience / _PAUSE)):
                try:
                    self._connection = duckdb.connect(self._where, config=options)
                    break
                except duckdb.IOException as error:
                    if not _held(error):
                        raise
                    sleep(_PAUSE)
            else:
                self._connection = duckdb.connect(self._where, config=options)
        try:
            if upgrade:
                migrate.upgrade(self)
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
        with self._lock, self._translated():
            inserted = self._connection.execute(_INSERT, columns).fetchone()
        return int(inserted[0]) if inserted else 0

    def missing(self, ids: Collection[str]) -> set[str]:
        """See :meth:`~crisol.abtest.store.TrialStore.missing`."""
        rows = self._query("SELECT id FROM trials WHERE id IN (SELECT unnest($ids))", {"ids": list(ids)})
        return set(ids) - {id_ for (id_,) in rows}

    def read(self, where: TrialFilter = EVERYTHING) -> Iterator[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.read`."""
        condition, values = sql.conditions(where, _parameter)
        with self._translated():
            cursor = self._connection.cursor()
            cursor.execute(f"SELECT {_READ} FROM trials WHERE {condition} ORDER BY created_at, id", values)  # noqa: S608 - constants
        return self._rows(cursor)

    def latest(self, limit: int, where: TrialFilter = EVERYTHING) -> list[Trial]:
        """See :meth:`~crisol.abtest.store.TrialStore.latest`."""
        condition, values = sql.conditions(where, _parameter)
        with self._translated():
            cursor = self._connection.cursor()
            cursor.execute(
                f"SELECT {_READ} FROM trials WHERE {condition} "  # noqa: S608 - constants
                "ORDER BY created_at DESC, id DESC LIMIT $limit",
                values | {"limit": limit},
            )
        return list(self._rows(cursor))

    def _rows(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[Trial]:
        with contextlib.closing(cursor):
            while True:
                with self._translated():
                    rows = cursor.fetchmany(_FETCH)
                if not rows:
                    return
                for values in rows:
                    row = dict(zip(COLUMNS, values, strict=True))
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
        with self._lock:
            self._query("INSERT OR REPLACE INTO switch VALUES (TRUE, $enabled, $rate, $salt)", values)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """See :meth:`~crisol.backends.migrate.Database.exclusive`; no other process can have the file."""
        with self._lock, self._translated():
            self._connection.begin()
            try:
                yield lambda text: self._connection.execute(text).fetchall()
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def close(self) -> None:
        """See :meth:`~crisol.abtest.store.TrialStore.close`."""
        self._connection.close()

    def _query(self, text: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._translated(), self._connection.cursor() as cursor:
            return cursor.execute(text, values).fetchall()

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
                    "; one process at a time may have a DuckDB file, several share a PostgreSQL "
                    "(DATABASE_URL)"
                )
            raise StoreError(f"{self._where}: {text}") from error
