"""Measure a memory look-up and the second stage: a 2 kB diff, 1,000 verdicts of its vulnerability.

python experiments/bench/bench_evidence.py
"""

from __future__ import annotations

import time

import numpy as np

from crisol.diff import parse
from crisol.evidence.memory import COLUMNS, Judged, Memory
from crisol.evidence.second_stage import train
from crisol.evidence.similarity import sketch

_KNOWN = 1_000
_ASKED = 300


def _diff(rng: np.random.Generator) -> str:
    """Draw about 2 kB that share places and most names, as patches of one vulnerability do."""
    body = []
    for line in range(24):
        name, bound = rng.choice(["name", "path", "limit", f"value_{rng.integers(400)}"]), rng.integers(20)
        body.append(
            f" context_{line} = read(request, {line})\n"
            f"+    if {name} > {bound} and safe(request): return None\n"
        )
    return "--- a/app.py\n+++ b/app.py\n@@ -10,24 +10,48 @@\n" + "".join(body)


def main() -> None:
    """Print the medians and 99th percentiles, in milliseconds."""
    rng = np.random.default_rng(0)
    memory = Memory()
    while len(memory) < _KNOWN:
        patch = parse(_diff(rng))
        memory.add(Judged(patch.identity, sketch(patch), bool(rng.random() < 0.3), float(rng.random())))
    rows = rng.normal(size=(4_000, len(COLUMNS)))
    label = (rows[:, 0] + rng.normal(size=4_000) > 0).astype(np.int_)
    stage = train(rows, label, np.array([str(at % 40) for at in range(4_000)]), seed=0)
    texts = [_diff(rng) for _ in range(_ASKED)]
    steps: list[tuple[float, float, float]] = []
    for text in texts:
        patch = parse(text)
        start = time.perf_counter()
        drawn = sketch(patch)
        middle = time.perf_counter()
        recall = memory.recall(drawn, 0.5)
        end = time.perf_counter()
        stage.probability(recall.row)
        steps.append((middle - start, end - middle, time.perf_counter() - end))
    spent = np.array(steps) * 1000
    print(f"{np.mean([len(text) for text in texts]):.0f} bytes, {len(memory)} known verdicts; ms")
    for name, column in zip(("sketch", "recall", "predict"), spent.T, strict=True):
        print(f"{name:8} p50 {np.median(column):.3f}  p99 {np.quantile(column, 0.99):.3f}")
    whole = spent.sum(axis=1)
    print(f"{'all':8} p50 {np.median(whole):.3f}  p99 {np.quantile(whole, 0.99):.3f}")


if __name__ == "__main__":
    main()
