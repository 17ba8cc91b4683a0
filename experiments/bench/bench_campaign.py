"""A campaign on Dask with 1, 2 and 4 worker processes: wargames a second, and the same labels from each.

Run it as ``python experiments/bench/bench_campaign.py``. Every candidate of a few programs of the arena is
executed anew, once for each number of workers, on a cluster of this machine that is started before the clock.
The ratio is to one worker; more workers than cores bring nothing. Exits 1 where the labels differ.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from distributed import LocalCluster

from crisol.config import load_settings
from crisol.wargaming.corpus import Plan, build, content_hash
from crisol.wargaming.vulnerability import find
from crisol.wiring import open_workers

ONLY = [
    "arena-avatar-upload", "arena-formula-eval", "arena-login-redirect", "arena-order-sql",
    "arena-request-framing",
    "arena-search-xss", "arena-sort-arguments", "arena-zip-slip",
]  # fmt: skip
WORKERS = (1, 2, 4)
MUTANTS = 1


def campaign(workers: int, folder: Path) -> tuple[int, float, dict[str, str]]:
    """Return the number of candidates, the seconds, and a digest of the labels by vulnerability."""
    settings = load_settings()
    vulnerabilities = find(settings.vulnerabilities, only=ONLY)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(folder / "dask"),
        ) as cluster,
        open_workers(cluster.scheduler_address) as executor,
    ):
        # What a worker imports at its first task is not the campaign's.
        list(executor.map(len, ["warm"] * workers * 2))
        start = time.perf_counter()
        shards = list(
            build(vulnerabilities, Plan(folder / "cache", folder / "inbox", MUTANTS), executor=executor)
        )
        seconds = time.perf_counter() - start
    count = sum(len(shard.rows) for shard in shards)
    return count, seconds, {shard.vulnerability: content_hash(shard.rows) for shard in shards}


def main() -> None:
    """Print a row for each number of workers."""
    print(
        f"cores: {os.cpu_count()}\n"
        "\n"
        "| workers | wargames | seconds | wargames/s | ratio |\n"
        "|---|---|---|---|---|"
    )
    labels, first = [], 0.0
    for workers in WORKERS:
        with tempfile.TemporaryDirectory(prefix="crisol-campaign-") as folder:
            count, seconds, labelled = campaign(workers, Path(folder))
        first = first or count / seconds
        labels.append(labelled)
        print(
            f"| {workers} | {count} | {seconds:.1f} | {count / seconds:.2f} "
            f"| {count / seconds / first:.2f} |",
            flush=True,
        )
    same = all(labelled == labels[0] for labelled in labels)
    print(f"\nlabels: {'identical' if same else 'DIFFERENT'}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
