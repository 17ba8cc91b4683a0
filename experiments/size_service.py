"""How many workers and wargames a rate takes: measured on this machine, checked against its saturation, then worked out.

Run it as ``python experiments/size_service.py``. CPU per request is measured at a few hundred a second; from it follows the
rate at which one worker is busy all the time, which a closed loop then measures. Wargames likewise: the time of one alone gives
the rate of one seat, and a closed loop of as many callers measures it. Exits 1 where either prediction is off by more
than a fifth. Nothing else may keep the machine busy meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from crisol.config import load_settings
from crisol.lab import ground_truth
from crisol.lab.load.material import prepare
from crisol.lab.load.plan import Loop, Plan
from crisol.lab.load.run import Load
from crisol.lab.load.service import ask, serving
from crisol.lab.sizing import Costs, Demand, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.config import Settings
    from crisol.lab.load.material import Item, Material

WITHIN = 0.2
ALONE = 30


def requests(settings: Settings, material: Material) -> tuple[float, float]:
    """Return seconds of CPU per request, measured well below saturation, and the requests a second at saturation."""
    with serving(
        settings, model=material.model, accept=material.accept, reject=material.reject, changes={"AB_TEST_RATE": "0"}
    ) as service:  # fmt: skip

        def run(plan: Plan) -> dict[str, float]:
            return Load(service.url, material, plan, pid=service.pid).finish().metrics

        run(Plan(requests=3_000, connections=8))
        below = run(Plan(loop=Loop.OPEN, rate=1_000, seconds=8.0))
        most = run(Plan(requests=200_000, connections=64, seconds=8.0))
    print(
        f"at saturation {most['other_cores']:.2f} cores were busy beside the service's {most['server_cores']:.2f}"
    )
    return below["server_cores"] / below["throughput"], most["throughput"]


def wargames(settings: Settings, material: Material, cores: int) -> tuple[list[float], float]:
    """Return the seconds of wargames, one after the other, then wargames a second with a caller for each core."""
    # Verdicts are not kept, so that asking again is wargaming again.
    changes = {"CRISOL_CACHE_MB": "0"}
    with serving(
        settings, model=material.model, accept=material.accept, reject=material.reject, changes=changes
    ) as service:  # fmt: skip

        def judge(item: Item) -> float:
            start = time.perf_counter()
            wish = {"diff": item.diff, "vulnerability": item.vulnerability}
            status, found = ask(service.url, "/wargaming/validate", wish, seconds=60.0)
            assert status == 200, found
            return time.perf_counter() - start

        def each(items: Sequence[Item], callers: int) -> list[float]:
            with ThreadPoolExecutor(callers) as pool:
                return list(pool.map(judge, items))

        items = material.items[:ALONE]
        # Sandboxes are opened on first use.
        each(items[::4], cores)
        alone = each(items, 1)
        start = time.perf_counter()
        each(items, cores)
        return alone, len(items) / (time.perf_counter() - start)


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
    request, most = requests(settings, material)
    alone, judged = wargames(settings, material, cores)
    mean = float(np.mean(alone))
    costs = Costs(request=request, wargame=mean, variation=float(np.var(alone) / mean**2))
    print(
        f"CPU per request {1e6 * request:.0f} us; wargame {mean:.3f} s, squared variation {costs.variation:.2f}\n"
    )
    print("| saturates at (a second) | predicted | measured | off |\n|---|---|---|---|")
    near = compared("requests, one worker", 1 / request, most)
    near &= compared(f"wargames, {cores} at a time", cores / mean, judged)
    print("\n| patches a day | skipped | A/B | workers | wargames at a time | trials/s | Redis commands/s |")
    print("|---|---|---|---|---|---|---|")
    for day in (10_000, 100_000, 1_000_000):
        for skipped, share in ((0.0, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 1.0)):
            found = size(Demand(rate=day / 86_400, skipped=skipped, ab_rate=share), costs)
            print(
                f"| {day:,} | {skipped:.0%} | {share:.0%} | {found.workers} | {found.wargames} | {found.trials:.2f} "
                f"| {found.commands:.1f} |"
            )
    sys.exit(not near)


if __name__ == "__main__":
    main()
