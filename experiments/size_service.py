"""How many workers and wargames a rate takes: measured on this machine, checked against its saturation, then worked out.

Run it as ``python experiments/size_service.py``. CPU per request is measured well below saturation; from it follows the
rate at which one worker is busy all the time, which a closed loop then measures. Exits 1 where the two differ by more
than a fifth. Nothing else may keep the machine busy meanwhile.
"""

from __future__ import annotations

import sys

import numpy as np

from crisol.config import load_settings
from crisol.lab import ground_truth
from crisol.lab.load.material import prepare
from crisol.lab.load.plan import Loop, Plan
from crisol.lab.load.run import Load
from crisol.lab.load.service import serving
from crisol.lab.sizing import Costs, Demand, size

_WITHIN = 0.2


def main() -> None:
    """Measure, check, print."""
    settings = load_settings()
    frame = ground_truth.open_corpus(settings, "", 0)
    material = prepare(settings, frame, 0)
    with serving(settings, model=material.model, accept=material.accept, reject=material.reject) as service:

        def run(plan: Plan) -> dict[str, float]:
            return Load(service.url, material, plan, pid=service.pid).finish().metrics

        run(Plan(requests=3_000, connections=8))
        below = run(Plan(loop=Loop.OPEN, rate=1_000, seconds=5.0))
        most = run(Plan(requests=40_000, connections=64))
    request = below["server_cores"] / below["throughput"]
    predicted, measured = 1 / request, most["throughput"]
    off = predicted / measured - 1
    print(f"CPU per request {1e6 * request:.0f} us: one worker saturates at {predicted:,.0f} a second")
    print(
        f"measured {measured:,.0f} a second with {most['other_cores']:.2f} cores busy beside it: {off:+.0%}"
    )
    seconds = frame["seconds"].to_numpy(float)
    costs = Costs(
        request=request, wargame=float(seconds.mean()), variation=float(np.var(seconds) / seconds.mean() ** 2)
    )
    print(f"wargame {costs.wargame:.3f} s in the mean, squared variation {costs.variation:.2f}")
    print("patches a day  skipped  A/B   workers  wargames at a time  trials/s  Redis commands/s")
    for day in (10_000, 100_000, 1_000_000):
        for skipped, share in ((0.0, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 1.0)):
            found = size(Demand(rate=day / 86_400, skipped=skipped, ab_rate=share), costs)
            print(
                f"{day:13,} {skipped:8.0%} {share:5.0%} {found.workers:9} {found.wargames:19} {found.trials:9.2f} {found.commands:17.1f}"
            )
    sys.exit(abs(off) > _WITHIN)


if __name__ == "__main__":
    main()
