"""Measure the features of the source: milliseconds of CPU a patch, beside those of the diff alone.

Every diff of the programs of our own that ships with the repository; nothing is downloaded or executed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from crisol.diff import parse
from crisol.model import features
from crisol.model.source.features import SOURCE_FEATURES, PublicFacts, vector
from crisol.model.source.registered import with_sources
from crisol.records import LabelledPatch

ROOT = Path(__file__).parents[2]


def milliseconds(work: Callable[[LabelledPatch], object], patches: list[LabelledPatch]) -> list[float]:
    """Return the CPU time of each patch."""
    times = []
    for patch in patches:
        start = time.process_time()
        work(patch)
        times.append((time.process_time() - start) * 1e3)
    return times


def main() -> None:
    """Print medians and 95th percentiles."""
    vulnerabilities = ROOT / "data" / "vulnerabilities"
    made = [
        LabelledPatch(path.stem, path.parents[1].name, "arena", 1, path.read_text())
        for path in sorted(vulnerabilities.glob("arena/*/patches/*.diff"))
    ]
    patches = [
        patch for patch in with_sources(made, vulnerabilities, ROOT / "data" / "cache") if patch.source
    ]
    print(f"{len(patches)} patches of {len({patch.group for patch in patches})} programs")
    rows: list[tuple[str, Callable[[LabelledPatch], object]]] = [
        (f"diff alone ({len(features.FEATURES)} features)", lambda p: features.vector(parse(p.diff), p.cwe)),
        (
            f"source ({len(SOURCE_FEATURES)} features)",
            lambda p: vector(parse(p.diff), p.source, PublicFacts(p.description, p.pov)),
        ),
    ]
    medians = []
    for name, work in rows:
        work(patches[0])
        times = milliseconds(work, patches)
        medians.append(statistics.median(times))
        print(f"{name}: median {medians[-1]:.2f} ms, 95 % {statistics.quantiles(times, n=20)[-1]:.2f} ms")
    print(f"the source costs {medians[1] / medians[0]:.0f} times the diff alone")


if __name__ == "__main__":
    main()
