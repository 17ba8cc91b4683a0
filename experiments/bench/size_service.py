"""Work out the workers and wargames that a rate takes, from costs measured on this machine.

Run it as ``python experiments/bench/size_service.py``. The CPU of a worker is measured with two and with
eight connections; what each request and what each turn of the event loop takes of it says at which rate
sixty-four connections keep a core busy all the time, which they then measure. Wargames likewise: the
machine's CPU for each, one after the other, says how many all cores bear, and as many callers as cores
measure it. What a patch leaves in a real Redis, and a trial in a real PostgreSQL, is measured, too. Exits 1
where either prediction is off by more than a fifth. Nothing else may keep the machine busy meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import redis

from crisol.abtest.store import utc_now
from crisol.abtest.trial import observe
from crisol.backends.postgres import PostgresStore
from crisol.config import load_settings
from crisol.lab import ground_truth
from crisol.loadtest.material import prepare
from crisol.loadtest.plan import LoadPlan
from crisol.loadtest.run import Load
from crisol.loadtest.service import ask, serving
from crisol.loadtest.sizing import Costs, Demand, size
from crisol.loadtest.watch import busy_seconds
from crisol.records import Outcome, Prediction, Reason, Trial
from crisol.servers import PostgresServer, RedisServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.config import Settings
    from crisol.loadtest.material import Item, Material

WITHIN = 0.2
ALONE = 30
TRIALS = 20_000
FEW, MANY = (2, 8), 64
"""Connections that are always busy."""


def requests(settings: Settings, material: Material) -> tuple[float, float, float]:
    """Return CPU seconds of a lone request, and the predicted and measured rates at which a worker saturates.

    Requests that arrive together share a turn of the event loop, so one costs ``each + turn / n`` where n
    connections are always busy. Few connections tell both terms, many say whether they hold.
    """
    with serving(
        settings, model=material.model, policy=material.policy, changes={"AB_TEST_RATE": "0"}
    ) as service:  # fmt: skip

        def run(plan: LoadPlan) -> dict[str, float]:
            return Load(service.url, material, plan, pid=service.pid).finish().metrics

        run(LoadPlan(requests=3_000, connections=8))
        loops = {
            count: run(LoadPlan(requests=200_000, connections=count, seconds=8.0)) for count in (*FEW, MANY)
        }
    cost = {count: loop["server_cores"] / loop["throughput"] for count, loop in loops.items()}
    for count, loop in loops.items():
        print(
            f"{count} connections: {loop['throughput']:,.0f} a second, {loop['server_cores']:.2f} cores, "
            f"{1e6 * cost[count]:.0f} us for each request, {loop['other_cores']:.2f} cores busy beside them"
        )
    low, high = FEW
    turn = (cost[low] - cost[high]) / (1 / low - 1 / high)
    request = cost[high] - turn / high
    if not (request > 0 and turn >= 0):
        sys.exit(
            "requests that share a turn cost more CPU: something else keeps the machine busy; measure when "
            "it is quiet"
        )
    print(f"CPU: {1e6 * request:.0f} us for each request, {1e6 * turn:.0f} us for each turn")
    return request + turn, 1 / (request + turn / MANY), loops[MANY]["throughput"]


def wargames(settings: Settings, material: Material, cores: int) -> tuple[float, float, float]:
    """Return CPU seconds per wargame, their squared variation, and wargames a second with a caller a core.

    It is the machine's CPU: what a sandbox does between two wargames is part of the next one's price.
    """
    # Verdicts are not kept, so that asking again is wargaming again.
    changes = {"CRISOL_CACHE_MB": "0"}
    with serving(
        settings, model=material.model, policy=material.policy, changes=changes
    ) as service:  # fmt: skip

        def judge(item: Item) -> float:
            start = time.perf_counter()
            wish = {"diff": item.diff, "vulnerability": item.vulnerability}
            status, answer = ask(service.url, "/wargaming/validate", wish, seconds=60.0)
            assert status == 200, answer
            return time.perf_counter() - start

        def each(items: Sequence[Item], callers: int) -> list[float]:
            with ThreadPoolExecutor(callers) as pool:
                return list(pool.map(judge, items))

        items = material.items[:ALONE]
        # Sandboxes are opened on first use.
        each(items[::4], cores)
        before = busy_seconds()
        alone = each(items, 1)
        cpu = (busy_seconds() - before) / len(items)
        start = time.perf_counter()
        each(items * 2, cores)
        most = 2 * len(items) / (time.perf_counter() - start)
    return cpu, float(np.var(alone) / np.mean(alone) ** 2), most


def entries(settings: Settings, material: Material) -> float:
    """Return the bytes of memory that a patch which is asked for once leaves in Redis."""
    with closing(RedisServer.start()) as server, serving(
        settings, model=material.model, policy=material.policy, changes={"REDIS_URL": server.url}
    ) as service, redis.Redis.from_url(server.url) as client:  # fmt: skip
        for item in material.items:
            wish = {"diff": item.diff, "vulnerability": item.vulnerability}
            status, answer = ask(service.url, "/wargaming/ml-first", wish, seconds=60.0)
            assert status == 200, answer
        # Key by key: what Redis holds altogether comes and goes with the buffers of its clients.
        return sum(client.memory_usage(key) or 0 for key in client.scan_iter()) / len(material.items)


def row() -> float:
    """Return the bytes of disk that a trial takes in PostgreSQL, its indices included."""
    with closing(PostgresServer.start()) as server, closing(PostgresStore(server.dsn)) as store:
        for start in range(0, TRIALS, 1_000):
            store.append([trial(number) for number in range(start, start + 1_000)])
        with psycopg.connect(server.dsn) as connection:
            (size,) = connection.execute("SELECT pg_total_relation_size('trials')").fetchone() or (0,)
    return float(size) / TRIALS


def trial(number: int) -> Trial:
    """Return one of many trials, with names as long as real ones."""
    return observe(
        Prediction(0.4871394038200378, "lightgbm-5d41402abc4b2a76", "features-3", 1e-4),
        patch=hashlib.sha256(str(number).encode()).hexdigest(),
        vulnerability="CVE-2024-53899",
        outcome=Outcome.INVALID,
        reason=Reason.EXPLOIT_SURVIVES,
        sampling_probability=0.1,
        created_at=utc_now(),
        experiment="live",
        arm="champion",
        cwe="CWE-78",
        wargame_seconds=0.2,
    )


def compared(what: str, predicted: float, measured: float) -> bool:
    """Print both, and return whether they are near enough."""
    off = predicted / measured - 1
    print(f"| {what} | {predicted:,.1f} | {measured:,.1f} | {off:+.0%} |")
    return abs(off) <= WITHIN


def main() -> None:
    """Measure, check, print."""
    settings = load_settings()
    frame = ground_truth.open_corpus(settings, "", 0)
    material = prepare(settings, frame, 0, unsure=0.0)
    cores = os.cpu_count() or 1
    request, predicted, most = requests(settings, material)
    wargame, variation, judged = wargames(settings, material, cores)
    kept, stored = entries(settings, prepare(settings, frame, 0)), row()
    costs = Costs(request=request, wargame=wargame, variation=variation, entries=kept, row=stored)
    print(f"CPU: {wargame:.3f} s for each wargame, squared variation {variation:.2f}")
    print(f"bytes: {kept:,.0f} in Redis for each miss, {stored:,.0f} in PostgreSQL for each trial\n")
    print("| saturates at (a second) | predicted | measured | off |\n|---|---|---|---|")
    near = compared("requests, one worker", predicted, most)
    near &= compared(f"wargames, {cores} at a time", cores / wargame, judged)
    print(
        "\n"
        "| patches a day | skipped | A/B | workers | wargames at a time | trials/s | PostgreSQL MiB/day | "
        "Redis commands/s | Redis MiB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for day in (10_000, 100_000, 1_000_000):
        for skipped, share in ((0.0, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 1.0)):
            needed = size(Demand(rate=day / 86_400, skipped=skipped, ab_rate=share), costs)
            print(
                f"| {day:,} | {skipped:.0%} | {share:.0%} | {needed.workers} | {needed.wargames} | "
                f"{needed.trials:.2f} | {needed.disk_mb:,.0f} | {needed.commands:.1f} | "
                f"{needed.memory_mb:,.0f} |"
            )
    sys.exit(not near)


if __name__ == "__main__":
    main()
