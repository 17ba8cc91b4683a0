"""Measure the cost of keeping a trial: before the answer, which waits for the disk, and after it.

    python experiments/bench/bench_trial_write.py [--trials 300] [--folder FOLDER]

FOLDER is on the disk in question; by default it is below the current one, as /tmp may be memory. ``eight at
once`` is what each of eight threads waits that share the journal. PostgreSQL is started with ``fsync=on``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter

import numpy as np
from bench_abtest import trials

from crisol.abtest import TrialStore
from crisol.abtest.journal import Journal, JournaledStore
from crisol.abtest.patches import PatchStore
from crisol.backends.duckdb import DuckDBStore
from crisol.backends.postgres import PostgresStore
from crisol.records import Trial
from crisol.servers import PostgresServer, ServerMissing

BODY = "".join(f"+    value_{line} = compute({line})\n" for line in range(60))


def diff(number: int) -> str:
    """Return a diff of 2 kB that is like no other."""
    return f"--- a/m{number}.py\n+++ b/m{number}.py\n@@ -1 +1,61 @@\n start()\n{BODY}"


def milliseconds(work: Callable[[], object]) -> float:
    """Return what one call takes."""
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1e3


def show(step: str, spent: Iterable[float]) -> None:
    """Print one line."""
    p50, p99 = np.percentile(list(spent), (50, 99))
    print(f"{step:<44}{p50:>8.2f}{p99:>8.2f}", flush=True)


def replays(kept: list[Trial], store: TrialStore, folder: Path) -> Iterable[float]:
    """Yield what it takes to hand each trial from the journal to a store, one commit each."""
    journaled = JournaledStore(store, Journal(folder / "replayed"))
    for trial in kept:
        journaled.journal.write([trial])
        yield milliseconds(journaled.replay)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path())
    asked = parser.parse_args()
    kept = list(trials(asked.trials))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)))
        print(f"{'milliseconds':<44}{'median':>8}{'p99':>8}\nbefore the answer")
        patches = PatchStore(folder / "patches")
        show("  diff of 2 kB to a file, not synced",
            (milliseconds(lambda n=n: patches.add(diff(n))) for n in range(asked.trials)))  # fmt: skip
        journal = Journal(folder / "journal")
        show("  trial to the journal, synced", (milliseconds(lambda t=t: journal.write([t])) for t in kept))
        with ThreadPoolExecutor(8) as threads:
            show(
                "  the same, eight at once",
                threads.map(lambda t: milliseconds(lambda: journal.write([t])), kept),
            )
        print("after the answer")
        duckdb = stack.enter_context(closing(DuckDBStore(folder / "trials.duckdb")))
        show("  journal to DuckDB, one commit", replays(kept, duckdb, folder))
        try:
            server = stack.enter_context(closing(PostgresServer.start("fsync=on")))
        except ServerMissing as missing:
            print(f"  without PostgreSQL: {missing}")
            return
        postgres = stack.enter_context(closing(PostgresStore(server.dsn)))
        show("  journal to PostgreSQL, one commit", replays(kept, postgres, folder))


if __name__ == "__main__":
    main()
