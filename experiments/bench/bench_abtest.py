"""How fast are the stores of A/B trials? Inserts per second, and results over a million trials.

    python experiments/bench/bench_abtest.py [--trials 1000000]

PostgreSQL is the one of ``TEST_DATABASE_URL``, an empty database, or one that the script starts as the tests
do. ``unsummed`` is PostgreSQL without the sums of hours: what they cost an insert, and what they save a
question.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import psycopg
from psycopg.conninfo import make_conninfo

from crisol.abtest import MemoryStore, Slice, TrialStore
from crisol.abtest.results import WINDOWS, window_results
from crisol.abtest.store import EVERYTHING, TrialFilter
from crisol.abtest.tally import Tally
from crisol.abtest.trial import trial_id
from crisol.backends import sql
from crisol.backends.duckdb import DuckDBStore
from crisol.backends.postgres import PostgresStore
from crisol.records import Outcome, Reason, Trial
from crisol.servers import PostgresServer, ServerMissing

NOW = dt.datetime(2026, 11, 1, 12, 34, 56, tzinfo=dt.UTC)
BATCH = 10_000
SINGLE = 200


def trials(count: int, experiment: str = "bench") -> Iterator[Trial]:
    """Yield trials of the last thirty days in their order: two arms, twenty CWEs, a tenth of the rate."""
    rng = random.Random(1)
    for i in range(count):
        arm = "champion" if i % 2 else "challenger"
        probability = rng.random()
        valid = rng.random() < 0.2 + 0.6 * probability
        key = (experiment, arm, f"patch-{i}", f"CVE-{i % 997}", f"model-{arm}")
        yield Trial(
            id=trial_id(*key),
            patch=key[2],
            vulnerability=key[3],
            cwe=f"CWE-{i % 20}",
            experiment=experiment,
            arm=arm,
            model_version=key[4],
            feature_version="1",
            probability=probability,
            outcome=Outcome.VALID if valid else Outcome.INVALID,
            reason=None if valid else Reason.EXPLOIT_SURVIVES,
            sampling_probability=1.0 if abs(probability - 0.5) < 0.1 else 0.1,
            predict_seconds=0.0001,
            wargame_seconds=0.75,
            created_at=NOW - dt.timedelta(days=30) * (1.0 - i / count),
        )


class Unsummed(PostgresStore):
    """The trials alone, in a schema of their own: nothing is summed, every question reads them."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA unsummed")
            super().__init__(make_conninfo(dsn, options="-c search_path=unsummed"), seconds=60.0)
            self.switch()
            connection.execute("ALTER TABLE unsummed.trials DISABLE TRIGGER sum_trial_hours")

    def tallies(
        self, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = ()
    ) -> dict[tuple[str, ...], Tally]:
        """Answer as the store did before there were sums."""
        return sql.tallies_of(self._query(*sql.tallies_query(where, by, lambda name: f"%({name})s")), by)


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, TrialStore]]:
    """Give every store that there is."""
    opened: dict[str, TrialStore] = {
        "memory": MemoryStore(),
        "duckdb": DuckDBStore(folder / "trials.duckdb"),
    }
    server = None
    dsn = os.environ.get("TEST_DATABASE_URL")
    if dsn is None:
        try:
            server = PostgresServer.start("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
            dsn = server.dsn
        except ServerMissing as missing:
            print(f"without PostgreSQL: {missing}")
    if dsn is not None:
        opened["postgresql"] = PostgresStore(dsn, seconds=60.0)
        opened["unsummed"] = Unsummed(dsn)
    try:
        yield opened
    finally:
        for store in opened.values():
            store.close()
        if server is not None:
            server.close()


def inserts(store: TrialStore, count: int) -> tuple[float, float]:
    """Return the inserts per second one by one, and in batches until the store holds ``count`` trials."""
    single = list(trials(SINGLE, "single"))
    start = perf_counter()
    for trial in single:
        store.append([trial])
    one_by_one = SINGLE / (perf_counter() - start)
    coming, spent = trials(count), 0.0
    while batch := list(islice(coming, BATCH)):
        start = perf_counter()
        store.append(batch)
        spent += perf_counter() - start
    return one_by_one, count / spent


def milliseconds(question: Callable[[], object], times: int = 7) -> float:
    """Return the median of so many runs, the first one apart."""
    question()
    spent = []
    for _ in range(times):
        start = perf_counter()
        question()
        spent.append(perf_counter() - start)
    return median(spent) * 1000.0


def questions(store: TrialStore) -> dict[str, Callable[[], object]]:
    """Return the questions that a dashboard asks."""
    queries: dict[str, Callable[[], object]] = {
        f"results {name}": partial(window_results, store, NOW, windows={name: span})
        for name, span in WINDOWS.items()
    }
    month = TrialFilter(since=NOW - WINDOWS["30d"], until=NOW)
    queries |= {
        "30d by arm": lambda: store.tallies(month, (Slice.ARM,)),
        "30d by day": lambda: store.tallies(month, (Slice.DAY,)),
        "30d by cwe": lambda: store.tallies(month, (Slice.CWE,)),
        "30d by band": lambda: store.tallies(month, (Slice.BAND,)),
    }
    return queries


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000_000)
    count = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as opened:
        print(f"{'store':<12}{'single/s':>10}{f'batch {BATCH}/s':>16}   trials kept")
        for name, store in opened.items():
            # The memory store is a reference for tests: a tenth shows its speed and spares the machine.
            some = count // 10 if name == "memory" else count
            single, batch = inserts(store, some)
            print(f"{name:<12}{single:>10,.0f}{batch:>16,.0f}   {some:,}", flush=True)
        print(f"\n{'milliseconds':<14}" + "".join(f"{name:>12}" for name in opened if name != "memory"))
        asked = {name: questions(store) for name, store in opened.items() if name != "memory"}
        for question in next(iter(asked.values())):
            cells = (f"{milliseconds(queries[question]):>12.1f}" for queries in asked.values())
            print(f"{question:<14}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
