"""One contract for every store of trials: memory, DuckDB and PostgreSQL pass the same tests, unexcused."""

from __future__ import annotations

import datetime as dt
import math
import random
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from crisol.abtest import MemoryStore, Slice, Switch, TrialFilter, TrialStore
from crisol.backends.duckdb import DuckDBStore
from crisol.backends.postgres import PostgresStore
from crisol.errors import InputError, IntegrityError, SettingsError, StoreError
from crisol.records import Outcome, Reason
from support.trials import NOW, closing, make_trial, private_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisol.servers import PostgresServer


@pytest.fixture(params=["memory", "duckdb", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], TrialStore]]:
    """Call it for a store.

    Every call gives one more client of the same trials, where the store has clients.
    """
    with ExitStack() as stack:
        if request.param == "postgres":
            dsn = private_schema(request.getfixturevalue("postgres_dsn"), stack)
            yield lambda: stack.enter_context(closing(PostgresStore(dsn, clock=lambda: NOW)))
        elif request.param == "duckdb":
            path = tmp_path / "trials.duckdb"
            yield lambda: stack.enter_context(closing(DuckDBStore(path, clock=lambda: NOW)))
        else:
            memory = MemoryStore(clock=lambda: NOW)
            yield lambda: memory


@pytest.fixture
def store(new_store: Callable[[], TrialStore]) -> TrialStore:
    return new_store()


def test_a_trial_comes_back_as_it_went_in(store: TrialStore) -> None:
    trials = [
        make_trial(1, attributions={"lines_added": 0.25, "nested": [1, None, "é😀"], "big": 1e300}),
        make_trial(2, patch="quote' \" \\ , {x} \u00e9\U0001f600", cwe="", attributions={}),
        make_trial(3, attributions=None),
    ]
    assert store.append(trials) == 3
    by_id = {trial.id: trial for trial in store.read()}
    assert by_id == {trial.id: trial for trial in trials}
    assert all(trial.created_at.tzinfo is dt.UTC for trial in by_id.values())


def test_appending_again_changes_nothing(store: TrialStore) -> None:
    """The first trial of an id stays; only new ones count, within one batch too."""
    first = make_trial(1, probability=0.9)
    again = replace(first, probability=0.1)
    assert store.append([first, again, first]) == 1
    assert store.append([again, make_trial(2)]) == 1
    assert store.append([]) == 0
    assert {trial.probability for trial in store.read() if trial.id == first.id} == {0.9}
    total = next(iter(store.tallies().values()))
    assert total.n + total.inconclusive == 2


BAD = {
    "nan": {"probability": math.nan},
    "above one": {"probability": 1.5},
    "never sampled": {"sampling_probability": 0.0},
    "sampled twice": {"sampling_probability": 1.1},
    "nan rate": {"sampling_probability": math.nan},
    "no zone": {"created_at": NOW.replace(tzinfo=None)},
    "future": {"created_at": NOW + dt.timedelta(hours=1)},
    "unset clock": {"created_at": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)},
    "negative": {"wargame_seconds": -1.0},
    "infinite": {"predict_seconds": math.inf},
    "other model": {"model_version": "m9"},
    "nul": {"cwe": "a\0b"},
    "surrogate": {"feature_version": "\ud800"},
    "long": {"cwe": "x" * 10_000},
    "contradiction": {"outcome": Outcome.VALID, "reason": Reason.TIMEOUT},
    "unexplained failure": {"outcome": Outcome.INCONCLUSIVE, "reason": None},
    "undecided decision": {"decided": Outcome.INCONCLUSIVE},
    "long program": {"program": "x" * 10_000},
    "no table": {"attributions": [1]},
    "not JSON": {"attributions": {"x": object()}},
    "nan JSON": {"attributions": {"x": math.nan}},
    "nul JSON": {"attributions": {"x": "\0"}},
    "huge JSON": {"attributions": {"x": "y" * 100_000}},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_a_bad_trial_is_refused_and_nothing_of_its_batch_is_kept(
    store: TrialStore, changes: dict[str, Any]
) -> None:
    bad = replace(make_trial(2), **changes)
    with pytest.raises(InputError, match=bad.id):
        store.append([make_trial(1), bad, make_trial(3)])
    assert list(store.read()) == []


def test_the_latest_are_the_last_of_that_order_the_last_one_first(store: TrialStore) -> None:
    """Of those that the filter admits, and as many as there are where there are fewer."""
    same = [make_trial(i, created_at=NOW - dt.timedelta(hours=2)) for i in range(20)]
    store.append(same + [make_trial(i) for i in range(20, 60)])
    for where in (TrialFilter(), TrialFilter(arm="champion"), TrialFilter(until=NOW - dt.timedelta(hours=2))):
        in_order = list(store.read(where))
        assert store.latest(5, where) == in_order[::-1][:5]
        assert store.latest(100, where) == in_order[::-1]
    assert store.latest(3) == list(store.read())[:-4:-1]


def test_reading_is_in_the_order_of_time_then_id(store: TrialStore) -> None:
    same = [make_trial(i, created_at=NOW - dt.timedelta(hours=2)) for i in range(20)]
    trials = same + [make_trial(i) for i in range(20, 60)]
    store.append(trials)
    assert list(store.read()) == sorted(trials, key=lambda trial: (trial.created_at, trial.id))


def test_reading_gives_every_trial_once_however_many(store: TrialStore) -> None:
    """More trials than any page or fetch holds, most of them of the same moment."""
    trials = [make_trial(i, created_at=NOW - dt.timedelta(seconds=i // 9_000)) for i in range(10_500)]
    store.append(trials)
    assert [trial.id for trial in store.read()] == [
        trial.id for trial in sorted(trials, key=lambda trial: (trial.created_at, trial.id))
    ]


HOUR = NOW.replace(minute=0, second=0, microsecond=0)
FILTERS = [
    TrialFilter(),
    TrialFilter(experiment="experiment-1", arm="champion"),
    TrialFilter(model_version="m1", cwe="CWE-2"),
    TrialFilter(since=NOW - dt.timedelta(hours=24)),
    TrialFilter(since=NOW - dt.timedelta(hours=24), until=NOW - dt.timedelta(hours=3), arm="champion"),
    TrialFilter(since=HOUR - dt.timedelta(hours=24), until=HOUR),
    TrialFilter(since=HOUR - dt.timedelta(minutes=50), until=HOUR - dt.timedelta(minutes=10)),
    TrialFilter(since=HOUR - dt.timedelta(minutes=50), until=HOUR + dt.timedelta(minutes=1)),
    TrialFilter(until=HOUR - dt.timedelta(hours=40, minutes=1)),
    TrialFilter(cwe="CWE-1", since=HOUR - dt.timedelta(hours=30, minutes=7), until=NOW),
    TrialFilter(experiment="nobody's"),
]


def test_filters_and_tallies_are_those_of_the_reference(store: TrialStore) -> None:
    """Every filter by every grouping gives what summing the trials one by one gives."""
    rng = random.Random(7)
    trials = [make_trial(i, rng) for i in range(800)]
    reference = MemoryStore(clock=lambda: NOW)
    reference.append(trials)
    for start in range(0, 800, 100):
        store.append(trials[start : start + 150])
    for where in FILTERS:
        assert [trial.id for trial in store.read(where)] == [trial.id for trial in reference.read(where)]
    groupings = [(), *((slice_,) for slice_ in Slice)]
    groupings += [
        (Slice.RUNG, Slice.CWE),
        (Slice.ARM, Slice.DAY),
        (Slice.CWE, Slice.BAND),
        (Slice.BAND, Slice.HOUR, Slice.EXPERIMENT),
    ]
    for where, by in product(FILTERS, groupings):
        got, expected = store.tallies(where, by), reference.tallies(where, by)
        assert list(got) == list(expected)
        for key, tally in got.items():
            for cell in ("tp", "fp", "fn", "tn"):
                mine, theirs = getattr(tally, cell), getattr(expected[key], cell)
                assert mine.n == theirs.n
                assert mine.weight == pytest.approx(theirs.weight)
                assert mine.weight_squared == pytest.approx(theirs.weight_squared)
            assert tally.inconclusive == expected[key].inconclusive


def test_grouped_by_rung_the_answers_are_counted_and_else_the_guesses(store: TrialStore) -> None:
    """A memory that accepts a patch which the model doubts makes its own false accept, none of the model."""
    told = {"rung": "memory", "decided": Outcome.VALID}
    store.append(
        [
            make_trial(1, outcome=Outcome.INVALID, reason=None, probability=0.2, **told),
            make_trial(
                2, outcome=Outcome.INVALID, reason=None, probability=0.2, rung="wargame", decided=None
            ),
        ]
    )
    by_rung = store.tallies(by=(Slice.RUNG,))
    assert {key: (tally.fp.n, tally.tn.n) for key, tally in by_rung.items()} == {
        ("memory",): (1, 0),
        ("wargame",): (0, 1),
    }
    assert store.tallies()[()].tn.n == 2


def test_hours_and_days_are_those_of_utc_whatever_the_zone_of_a_trial(store: TrialStore) -> None:
    """Half past midnight, two hours east of Greenwich, belongs to the day before."""
    east = dt.datetime(2026, 1, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    store.append([replace(make_trial(1), created_at=east)])
    assert list(store.tallies(by=(Slice.HOUR, Slice.DAY))) == [("2025-12-31T22:00Z", "2025-12-31")]


def test_missing_names_what_is_not_kept(store: TrialStore) -> None:
    kept, absent = make_trial(1), make_trial(2)
    store.append([kept])
    assert store.missing([kept.id, absent.id, absent.id]) == {absent.id}
    assert store.missing([]) == set()


def test_the_switch_is_shared_and_starts_off(new_store: Callable[[], TrialStore]) -> None:
    one, other = new_store(), new_store()
    assert one.switch() == Switch(enabled=False, rate=0.10, salt="crisol")
    one.flip(Switch(enabled=True, rate=0.25, salt="2026"))
    one.flip(Switch(enabled=True, rate=0.5, salt="2027"))
    assert other.switch() == Switch(enabled=True, rate=0.5, salt="2027")


def test_many_threads_append_the_same_trials_once(new_store: Callable[[], TrialStore]) -> None:
    clients = [new_store(), new_store()]
    trials = [make_trial(i) for i in range(300)]
    rngs = [random.Random(i) for i in range(8)]
    barrier = threading.Barrier(8)

    def work(i: int) -> int:
        mine = trials.copy()
        rngs[i].shuffle(mine)
        barrier.wait()
        return sum(clients[i % 2].append(mine[start : start + 50]) for start in range(0, 300, 50))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 300
    assert len(list(clients[0].read())) == 300
    tally = clients[1].tallies()[()]
    assert tally.n + tally.inconclusive == 300


def test_a_closed_store_refuses_and_closing_twice_is_harmless(store: TrialStore) -> None:
    store.append([make_trial(1)])
    store.close()
    store.close()
    if not isinstance(store, MemoryStore):
        with pytest.raises(StoreError):
            store.append([make_trial(2)])


def test_a_filter_without_a_zone_or_a_rate_beyond_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="since"):
        TrialFilter(since=NOW.replace(tzinfo=None))
    for rate in (-0.1, 1.1, math.nan):
        with pytest.raises(SettingsError, match="rate"):
            Switch(rate=rate)
    with pytest.raises(SettingsError, match="salt"):
        Switch(salt="\0")


def test_duckdb_names_a_corrupt_row(tmp_path: Path) -> None:
    path = tmp_path / "trials.duckdb"
    trials = [make_trial(1), make_trial(2)]
    with closing(DuckDBStore(path, clock=lambda: NOW)) as store:
        store.append(trials)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE trials SET model_version = 'forged' WHERE id = ?", [trials[0].id])
    with closing(DuckDBStore(path)) as store, pytest.raises(IntegrityError, match=trials[0].id):
        list(store.read())


@pytest.mark.integration
@pytest.mark.parametrize(
    "corruption",
    [
        "model_version = 'forged'",
        "reason = 'because'",
        "attributions = '[1]'",
        "cwe = chr(7)",
        "program = chr(7)",
    ],
)
def test_postgres_names_a_corrupt_row(postgres_dsn: str, corruption: str) -> None:
    with ExitStack() as stack:
        dsn = private_schema(postgres_dsn, stack)
        store = stack.enter_context(closing(PostgresStore(dsn, clock=lambda: NOW)))
        trial = make_trial(1, outcome=Outcome.INVALID, reason=Reason.TIMEOUT)
        store.append([trial])
        with psycopg.connect(dsn) as connection:
            connection.execute(f"UPDATE trials SET {corruption}".encode())
        with pytest.raises(IntegrityError, match=trial.id):
            list(store.read())


@pytest.mark.integration
def test_a_question_that_is_asked_often_is_still_planned_for_its_window(postgres_dsn: str) -> None:
    """A plan for windows of any length would read every trial."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(PostgresStore(private_schema(postgres_dsn, stack))))
        for hours in range(20):
            store.tallies(TrialFilter(since=NOW - dt.timedelta(hours=hours + 1), until=NOW))
        ((prepared, general),) = store._query(
            "SELECT count(*), sum(generic_plans) FROM pg_prepared_statements WHERE statement LIKE "
            "'%%trial_hours%%'",
            {},
        )
    assert (prepared, general) == (1, 0)


def test_a_database_without_a_locale_gives_text_all_the_same(postgres_dsn: str) -> None:
    """Where initdb found none, PostgreSQL knows bytes alone (SQL_ASCII), and psycopg would hand them on."""
    name = f"plain_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        try:
            with closing(PostgresStore(make_conninfo(postgres_dsn, dbname=name), clock=lambda: NOW)) as store:
                trial = make_trial(1)
                assert store.append([trial]) == 1
                assert list(store.read()) == [trial]
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_processes_take_turns_at_a_duckdb_file(tmp_path: Path) -> None:
    """While a service has its store open, a command reads and writes the same trials, and the switch."""
    path = tmp_path / "trials.duckdb"
    with closing(DuckDBStore(path, clock=lambda: NOW)) as store:
        store.append([make_trial(1)])
        code = (
            "from crisol.abtest.store import Switch; from crisol.backends.duckdb import DuckDBStore; "
            f"s = DuckDBStore({str(path)!r}); s.flip(Switch(True, 0.3)); print(len(list(s.read())))"
        )
        assert run_python(code).strip() == "1"
        assert store.switch() == Switch(enabled=True, rate=0.3)
        assert store.append([make_trial(2)]) == 1


def test_threads_and_stores_of_a_process_may_share_a_duckdb_file(tmp_path: Path) -> None:
    """DuckDB itself refuses to open a file that the same process is about to close."""
    path = tmp_path / "trials.duckdb"
    with closing(DuckDBStore(path, clock=lambda: NOW)) as store, closing(DuckDBStore(path)) as other:
        with ThreadPoolExecutor(4) as threads:
            appended = threads.map(lambda n: store.append([make_trial(n)]) + len(other.tallies()), range(20))
            assert min(appended) >= 1
        assert len(list(other.read())) == 20


def test_a_patient_store_gets_the_file_once_a_foreign_program_has_let_it_go(tmp_path: Path) -> None:
    """The holder is killed during the first pause; without a pause there is no second attempt."""
    path = tmp_path / "trials.duckdb"
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        holder.kill()
        holder.wait()

    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="the other program"):
            DuckDBStore(path, patience=0.0, sleep=pause)
        with closing(DuckDBStore(path, patience=1.0, sleep=pause)) as store:
            assert not list(store.read())
    assert len(pauses) == 1


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "trials.duckdb"
    path.write_bytes(b"my thesis" * 1000)
    with pytest.raises(IntegrityError, match="no DuckDB database"):
        DuckDBStore(path)
    assert path.read_bytes() == b"my thesis" * 1000


@pytest.mark.integration
def test_a_server_that_hangs_or_restarts_costs_an_error_or_nothing(
    postgres_server: Callable[..., PostgresServer],
) -> None:
    """Away or hanging is a StoreError within the limit; once it is back the same store works again."""
    server = postgres_server()
    with closing(PostgresStore(server.dsn, seconds=0.5, clock=lambda: NOW)) as store:
        store.append([make_trial(1)])
        server.stop()
        with pytest.raises(StoreError):
            store.append([make_trial(2)])
        server.cont()
        assert store.append([make_trial(2), make_trial(3)]) in {1, 2}
        server.kill()
        with pytest.raises(StoreError):
            store.append([make_trial(4)])
        server.restart()
        assert store.append([make_trial(4)]) == 1
        assert len(list(store.read())) == 4
        server.restart()
        assert store.append([make_trial(5)]) == 1


@pytest.mark.integration
def test_no_call_outlasts_the_deadline_of_a_server_that_hangs(
    postgres_server: Callable[..., PostgresServer],
) -> None:
    """Whether it hangs with our connection open, while one is being made, or before the store closes."""
    server = postgres_server()
    store, fresh = (PostgresStore(server.dsn, seconds=0.5, clock=lambda: NOW) for _ in range(2))
    with closing(store), closing(fresh):
        store.append([make_trial(1)])
        server.stop()
        for call in (
            lambda: store.append([make_trial(2)]),
            lambda: store.append([make_trial(i) for i in range(100)]),
            store.tallies,
            store.switch,
            lambda: next(store.read()),
            fresh.tallies,
        ):
            start = time.monotonic()
            with pytest.raises(StoreError):
                call()
            assert time.monotonic() - start < 2.0
        start = time.monotonic()
        store.close()
        assert time.monotonic() - start < 6.0
        server.cont()


STRICT = [sys.executable, "-X", "dev", "-W", "error"]
FORK = """
import os, sys
sys.path.insert(0, sys.argv[1])
from support.trials import NOW, make_trial
from crisol.backends.postgres import PostgresStore
store = PostgresStore(sys.argv[2], clock=lambda: NOW)
store.append([make_trial(0)])
children = []
for worker in range(3):
    if not (child := os.fork()):
        code = 0 if store.append([make_trial(i) for i in range(worker * 30, worker * 30 + 40)]) else 1
        store.close()
        os._exit(code)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
assert len(list(store.read())) == 100
store.close()
"""


@pytest.mark.integration
def test_forked_workers_and_their_parent_share_nothing_but_the_database(postgres_dsn: str) -> None:
    """Each opens connections of its own, the parent's go on, and nobody leaves a warning behind."""
    with ExitStack() as stack:
        dsn = private_schema(postgres_dsn, stack)
        command = [*STRICT, "-c", FORK, str(Path(__file__).parents[1]), dsn]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")


CLOSE = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
from support.trials import NOW, make_trial
from crisol.backends.postgres import PostgresStore
from crisol.errors import StoreError
store = PostgresStore(sys.argv[2], seconds=1.0, clock=lambda: NOW)
store.append([make_trial(0)])
def ask():
    try:
        store.tallies()
    except StoreError:
        pass
if sys.argv[3] != "0":
    os.kill(int(sys.argv[3]), signal.SIGSTOP)
threads = [threading.Thread(target=ask) for _ in range(6)]
for thread in threads:
    thread.start()
store.close()
for thread in threads:
    thread.join()
assert not [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
"""


@pytest.mark.integration
@pytest.mark.parametrize("hanging", [False, True], ids=["healthy", "hanging"])
def test_closing_under_load_leaves_no_thread_and_no_warning(
    postgres_server: Callable[..., PostgresServer], hanging: bool
) -> None:
    server = postgres_server()
    assert server.process is not None
    # The postmaster alone stops here: our own connection still answers, new ones hang.
    pid = str(server.process.pid) if hanging else "0"
    command = [*STRICT, "-c", CLOSE, str(Path(__file__).parents[1]), server.dsn, pid]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    server.cont()
    lines = [line for line in done.stderr.splitlines() if "error connecting in" not in line]
    assert (done.returncode, lines) == (0, [])


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed, errors included."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
