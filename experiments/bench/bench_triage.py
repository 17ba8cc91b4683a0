"""Wargames and seconds until the first valid patch: at random, in the cold model's order, and by likeness.

Simulated on a corpus table whose wargames are done, as if all candidates of a vulnerability lay there at
once: ``python experiments/bench/bench_triage.py data/cache/corpus.parquet``. The cold probabilities are those
of models that have not seen the vulnerability. The reference fix is no candidate, and with it goes what
repeats it. By likeness: the cold log-odds, more for what is like the known fix or a valid patch, less for
what is like an invalid one.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crisol import diff
from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.evidence.fix import Part, Profile, profile
from crisol.model.dataset import from_table
from crisol.model.evaluation import evaluate
from crisol.model.variants import load_variants
from crisol.wargaming.corpus import load_table
from crisol.wargaming.program import VULNERABLE, open_tree
from crisol.wargaming.vulnerability import find

_REPEATS = 20
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class _Judged:
    valid: bool
    seconds: float
    cold: float
    profile: Profile


def main(table: Path) -> None:
    """Print one line for each order."""
    settings = load_settings()
    frame = load_table(table)
    frame = frame[frame["outcome"] != "inconclusive"].reset_index(drop=True)
    frame["cold"] = _cold(frame, settings.root / "experiments" / "variants.yaml")
    sums: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    vulnerabilities = {one.id: one for one in find(settings.vulnerabilities)}
    for number, (name, rows) in enumerate(frame.groupby("vulnerability")):
        try:
            folder = vulnerabilities[str(name)].vulnerable(settings.cache)
        except (KeyError, CrisolError):
            continue
        fix, candidates = _pool(rows, folder)
        if not any(one.valid for one in candidates) or len(candidates) < 5:
            continue
        for order, paths in _orders(candidates, fix, int(number)):
            counted = [_until_valid(path) for path in paths]
            mean = np.mean(counted, axis=0)
            sums[order].append((mean[0], mean[1], float(len(candidates))))
    for order, values in sorted(sums.items()):
        wargames, seconds, size = np.mean(values, axis=0)
        base = np.mean(sums["random"], axis=0)
        print(
            f"{order:10} {wargames:6.2f} wargames ({wargames / base[0]:4.0%} of random), {seconds:6.2f} s "
            f"({seconds / base[1]:4.0%}), {len(values)} vulnerabilities of {size:.0f} candidates"
        )


def _cold(frame: pd.DataFrame, variants: Path) -> np.ndarray:
    kept = variants.parent.parent / "data" / "cache" / "cold.npy"
    if kept.is_file():
        return np.load(kept)
    found = evaluate(
        load_variants(variants)["lightgbm"], from_table(frame), seed=0, search=False, bootstrap=10
    )
    np.save(kept, found.probability)
    print(f"cold AUC by vulnerability {found.auc:.3f}")
    return found.probability


def _pool(rows: pd.DataFrame, folder: Path) -> tuple[Profile | None, list[_Judged]]:
    """Return the reference fix, and every other program that the candidates make, once."""
    tree = open_tree(folder)
    seen, fix, pool = {VULNERABLE}, None, []
    known = rows["name"].isin(["upstream", "reference"])
    for row in pd.concat([rows[known], rows[~known]]).itertuples():
        try:
            after = diff.apply(diff.parse(str(row.diff)), tree.read)
        except CrisolError:
            continue
        identity = tree.identity(after)
        if identity in seen:
            continue
        seen.add(identity)
        parts = profile(after, {path: tree.read(path) or "" for path in after})
        if fix is None and row.name in {"upstream", "reference"} and row.outcome == "valid":
            fix = parts
        else:
            pool.append(_Judged(row.outcome == "valid", float(row.seconds), float(row.cold), parts))
    return fix, pool


def _orders(
    candidates: list[_Judged], fix: Profile | None, seed: int
) -> Iterator[tuple[str, list[list[_Judged]]]]:
    rng = random.Random(seed)
    yield "random", [rng.sample(candidates, len(candidates)) for _ in range(_REPEATS)]
    yield "cold", [sorted(candidates, key=lambda one: -one.cold)]
    yield "likeness", [_by_likeness(candidates, fix)]


def _by_likeness(candidates: list[_Judged], fix: Profile | None) -> list[_Judged]:
    right, wrong = [] if fix is None else [fix.parts], []
    left, done = list(candidates), []

    def score(one: _Judged) -> float:
        cold = min(max(one.cold, _LEAST), 1 - _LEAST)
        near = [
            max((_likeness(one.profile.parts, it) for it in side), default=0.0) for side in (right, wrong)
        ]
        return math.log(cold / (1 - cold)) + near[0] - near[1]

    while left:
        best = max(left, key=score)
        left.remove(best)
        done.append(best)
        (right if best.valid else wrong).append(best.profile.parts)
        if best.valid:
            break
    return done


def _likeness(one: Counter[Part], other: Counter[Part]) -> float:
    whole = (one | other).total()
    return (one & other).total() / whole if whole else 1.0


def _until_valid(path: list[_Judged]) -> tuple[int, float]:
    count = next(at for at, one in enumerate(path, 1) if one.valid)
    return count, sum(one.seconds for one in path[:count])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
