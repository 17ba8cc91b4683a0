"""Migrate a database to the schema that this version of Crisol needs.

Migrations are the numbered files in ``migrations/``: ``NNNN_name.sql`` for every engine,
``NNNN_name.ENGINE.sql`` for one. Each migration runs in its own transaction and under a lock. Several
processes may therefore migrate at once, and a process that is killed leaves no migration half applied.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from crisol.errors import IntegrityError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["Database", "Migration", "MigrationStep", "migrations", "status", "upgrade"]

_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL
    )
"""


class Database(Protocol):
    """The interface by which migrations change the schema of a trial store's database."""

    @property
    def engine(self) -> str:
        """The kind of database: ``duckdb`` or ``postgres``."""
        ...

    def exclusive(self) -> AbstractContextManager[Callable[[str], list[tuple[Any, ...]]]]:
        """Return a context manager that yields a function ``execute(sql)``, which returns the rows.

        All calls in the block are one transaction: leaving the block commits it, an exception rolls it back.
        No other process migrates the database meanwhile. Raises :class:`~crisol.errors.StoreError` if the
        database cannot be used.
        """
        ...

    def close(self) -> None:
        """Close connections and files."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the database schema; ``sql`` is its SQL text, from the file ``<number>_<name>.sql``."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The SHA-256 of the SQL text, in hexadecimal; a later edit of an applied migration changes it."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """A migration, by its number and name, and when it was applied to a database.

    ``applied_at`` is in UTC; None means that the migration was not applied.
    """

    number: int
    name: str
    applied_at: dt.datetime | None


@cache
def migrations(engine: str) -> tuple[Migration, ...]:
    """Return the migrations of a database engine, by ascending number.

    ``engine`` is ``duckdb`` or ``postgres``; another text gives the migrations that both share.
    """
    numbered = []
    for file in files("crisol.backends").joinpath("migrations").iterdir():
        stem, *only = file.name.removesuffix(".sql").split(".")
        if file.name.endswith(".sql") and only in ([], [engine]):
            number, _, name = stem.partition("_")
            numbered.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return tuple(sorted(numbered, key=lambda migration: migration.number))


def status(database: Database) -> list[MigrationStep]:
    """Return every migration of this version of Crisol, by ascending number, and when it was applied.

    The call applies none. Raises :class:`~crisol.errors.StoreError` if the database cannot be used or was
    migrated by a newer Crisol, and :class:`~crisol.errors.IntegrityError` if a migration was applied with
    another SQL text than it has now.
    """
    with database.exclusive() as execute:
        applied = _applied(database.engine, execute)
    return [MigrationStep(m.number, m.name, applied.get(m.number)) for m in migrations(database.engine)]


def upgrade(database: Database, to: int | None = None) -> list[Migration]:
    """Apply the migrations that ``database`` lacks, and return those, by ascending number.

    ``to`` is the number of the last migration to apply; None applies all. Raises
    :class:`~crisol.errors.StoreError` if the database cannot be used or was migrated by a newer Crisol, and
    :class:`~crisol.errors.IntegrityError` if a migration was applied with another SQL text than it has now.
    """
    applied = []
    for migration in migrations(database.engine):
        if to is not None and migration.number > to:
            break
        with database.exclusive() as execute:
            if migration.number in _applied(database.engine, execute):
                continue
            execute(migration.sql)
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            execute(
                "INSERT INTO schema_migrations VALUES "  # noqa: S608 - every value comes from a file of the package
                f"({migration.number}, '{migration.name}', '{migration.sha256}', '{now}')"
            )
            applied.append(migration)
    return applied


def _applied(engine: str, execute: Callable[[str], list[tuple[Any, ...]]]) -> dict[int, dt.datetime]:
    execute(_LEDGER)
    rows = execute("SELECT number, name, sha256, applied_at FROM schema_migrations ORDER BY number")
    shipped = {migration.number: migration for migration in migrations(engine)}
    for number, name, sha256, _ in rows:
        if number not in shipped:
            raise StoreError(
                f"the database has migration {number} ({name}), which this Crisol lacks: upgrade it"
            )
        if shipped[number].sha256 != sha256:
            raise IntegrityError(f"migration {number} ({name}) was applied with another text than it has now")
    return {number: dt.datetime.fromisoformat(applied_at) for number, _, _, applied_at in rows}
