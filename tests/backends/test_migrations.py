"""Migrations: whole or not at all, from any earlier version, however many start at once."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest

from crisol.abtest import Slice, Tally
from crisol.abtest.trial import COLUMNS, to_row
from crisol.backends import migrate
from crisol.backends.duckdb import DuckDBStore
from crisol.backends.postgres import PostgresStore
from crisol.errors import IntegrityError, StoreError
from crisol.records import Outcome, Reason
from support.trials import NOW, closing, make_trial, private_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crisol.records import Trial

ENGINES = ("duckdb", "postgres")
FIRST = COLUMNS[: COLUMNS.index("rung")]
"""The columns that the first version of the table had."""


@pytest.fixture
def schema(postgres_dsn: str) -> Iterator[str]:
    with ExitStack() as stack:
        yield private_schema(postgres_dsn, stack)


def test_numbers_are_unique_and_without_a_gap_over_both_engines() -> None:
    numbers = {engine: [m.number for m in migrate.migrations(engine)] for engine in ENGINES}
    for of_engine in numbers.values():
        assert of_engine == sorted(set(of_engine))
    together = set().union(*numbers.values())
    assert together == set(range(1, len(together) + 1))


@pytest.mark.parametrize("start", range(8))
def test_postgres_goes_forward_from_any_version_and_keeps_its_trials(schema: str, start: int) -> None:
    """What was written under an old schema is summed and read under the new one."""
    trials = [make_trial(i) for i in range(50)]
    with closing(PostgresStore(schema, clock=lambda: NOW)) as old:
        migrate.upgrade(old, to=start)
        if start:
            with psycopg.connect(schema) as connection:
                insert_plainly(connection, trials)
    with closing(PostgresStore(schema, clock=lambda: NOW)) as store:
        assert store.append([make_trial(99)]) == 1
        kept = [*(trials if start else []), make_trial(99)]
        assert {trial.id for trial in store.read()} == {trial.id for trial in kept}
        for by in ((), (Slice.CWE,), (Slice.BAND,), (Slice.RUNG,)):
            tally = sum(store.tallies(by=by).values(), Tally())
            assert tally.n + tally.inconclusive == len(kept)
        assert [step.applied_at is not None for step in migrate.status(store)] == [True] * 7
        assert migrate.upgrade(store) == []


def insert_plainly(connection: psycopg.Connection[Any], trials: list[Any]) -> None:
    text = f"INSERT INTO trials ({', '.join(FIRST)}) VALUES ({', '.join(['%s'] * len(FIRST))})"
    connection.cursor().executemany(text.encode(), [plain(trial) for trial in trials])


def plain(trial: Trial) -> tuple[Any, ...]:
    return tuple(to_row(trial)[name] for name in FIRST)


@pytest.mark.parametrize("start", range(5))
def test_duckdb_goes_forward_from_any_version(tmp_path: Path, start: int) -> None:
    path = tmp_path / "trials.duckdb"
    done = migrate.migrations("duckdb")[:start]
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT, sha256 TEXT, "
            "applied_at TEXT)"
        )
        for m in done:
            connection.execute(m.sql)
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
                [m.number, m.name, m.sha256, dt.datetime(2026, 1, 1, tzinfo=dt.UTC).isoformat()],
            )
    with closing(DuckDBStore(path, clock=lambda: NOW)) as store:
        assert store.append([make_trial(1)]) == 1
        assert not store.switch().enabled
        assert all(step.applied_at for step in migrate.status(store))


def test_what_was_counted_wrong_for_its_form_counts_no_more(schema: str, tmp_path: Path) -> None:
    """Trials that an earlier version called invalid because they did not apply are inconclusive now."""
    form = replace(make_trial(1), outcome=Outcome.INVALID, reason=Reason.DOES_NOT_APPLY)
    with closing(PostgresStore(schema, clock=lambda: NOW)) as old:
        migrate.upgrade(old, to=5)
        with psycopg.connect(schema) as connection:
            insert_plainly(connection, [form])
    with closing(PostgresStore(schema, clock=lambda: NOW)) as store:
        migrate.upgrade(store)
        (tally,) = store.tallies().values()
        assert (tally.n, tally.inconclusive) == (0, 1)
        assert [trial.outcome for trial in store.read()] == [Outcome.INCONCLUSIVE]
    path = tmp_path / "trials.duckdb"
    with duckdb.connect(path) as earlier:
        for migration in migrate.migrations("duckdb")[:2]:
            earlier.execute(migration.sql)
        earlier.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(FIRST))})", plain(form))
        earlier.execute(migrate.migrations("duckdb")[2].sql)
        assert earlier.execute("SELECT outcome FROM trials").fetchall() == [("inconclusive",)]


def test_status_says_what_is_missing(schema: str) -> None:
    with closing(PostgresStore(schema)) as store:
        migrate.upgrade(store, to=2)
        assert [(s.number, s.applied_at is None) for s in migrate.status(store)] == [
            (1, False), (2, False), (3, True), (4, True), (5, True), (6, True), (7, True),
        ]  # fmt: skip


def test_what_a_live_trial_had_among_its_attributions_moves_into_columns(schema: str, tmp_path: Path) -> None:
    """Attributions of features stay where they are."""
    about = {"rung": "memory", "content_hash": "c" * 64, "referee": "17"}
    trials = [make_trial(1, attributions=about), make_trial(2, attributions={"lines": 0.5}), make_trial(3)]
    path = tmp_path / "trials.duckdb"
    with closing(DuckDBStore(path, clock=lambda: NOW, upgrade=False)) as earlier:
        migrate.upgrade(earlier, to=6)
    with duckdb.connect(path) as connection:
        for trial in trials:
            connection.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(FIRST))})", plain(trial))
    with closing(PostgresStore(schema, clock=lambda: NOW)) as earlier:
        migrate.upgrade(earlier, to=6)
        with psycopg.connect(schema) as server:
            insert_plainly(server, trials)
    with closing(DuckDBStore(path)) as file, closing(PostgresStore(schema)) as database:
        for store in (file, database):
            moved, kept, bare = sorted(store.read(), key=lambda trial: trial.patch)
            assert (moved.rung, moved.content_hash, moved.referee, moved.attributions) == (
                *about.values(),
                None,
            )
            assert (kept.rung, kept.program, kept.decided, kept.attributions) == (
                "",
                "",
                None,
                {"lines": 0.5},
            )
            assert bare.attributions is None


def test_many_processes_may_start_at_once(schema: str) -> None:
    code = (
        "import sys; from crisol.backends.postgres import PostgresStore; from crisol.backends import "
        "migrate\n"
        "store = PostgresStore(sys.argv[1], seconds=60); print(len(migrate.upgrade(store))); store.close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, schema], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    applied = [int(process.communicate(timeout=120)[0]) for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert sum(applied) == 7


def test_a_migration_that_fails_leaves_the_version_before_it(schema: str) -> None:
    """0004 makes a table that is in its way here.

    Nothing of 0004 stays, and it works once the way is free.
    """
    with closing(PostgresStore(schema, clock=lambda: NOW)) as store:
        migrate.upgrade(store, to=3)
        with psycopg.connect(schema, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION sum_trial_hours() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"
            )
            with pytest.raises(StoreError, match="sum_trial_hours"):
                store.append([make_trial(1)])
            row = connection.execute("SELECT to_regclass('trial_hours')").fetchone()
            assert row == (None,)
            assert [step.applied_at is None for step in migrate.status(store)] == [
                False,
                False,
                False,
                True,
                True,
                True,
                True,
            ]
            connection.execute("DROP FUNCTION sum_trial_hours()")
        assert store.append([make_trial(1)]) == 1


def test_a_database_of_the_future_and_an_edited_migration_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.duckdb"
    DuckDBStore(path).close()
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (99, 'warp', 'x', '2030-01-01')")
    with pytest.raises(StoreError, match=r"99 \(warp\).*upgrade"):
        DuckDBStore(path)
    with duckdb.connect(path) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE number = 99")
        connection.execute("UPDATE schema_migrations SET sha256 = 'x' WHERE number = 1")
    with pytest.raises(IntegrityError, match=r"1 \(trials\)"):
        DuckDBStore(path)
    with duckdb.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (0,)
