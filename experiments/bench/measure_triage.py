"""Wargames and seconds until the first valid patch: at random, by the cold model, and as triage learns.

    python experiments/bench/measure_triage.py data/cache/corpus.parquet

Simulated on a corpus table whose wargames are done, as if all candidates of a vulnerability lay there. Cold
model and second stage come from folds that have not seen the vulnerability. The reference fix is known and
is no candidate, and with it goes what repeats it; candidates that make the vulnerable program go, too.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crisol import diff
from crisol.config import load_settings
from crisol.diff import Patch
from crisol.errors import CrisolError
from crisol.evidence.second_stage import SecondStage
from crisol.lab.arrivals import Prepared, StreamQuestion, prepare_table
from crisol.lab.triage_order import TriageOrder
from crisol.wargaming.corpus import load_table
from crisol.wargaming.program import VULNERABLE, open_tree
from crisol.wargaming.vulnerability import find

_REPEATS = 50
_FIX = "the known fix"
_FIXES = ("upstream", "reference")


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    patch: Patch
    valid: bool
    seconds: float
    cold: float


def main(table: Path) -> None:
    """Print one line for each order."""
    settings = load_settings()
    frame = load_table(table)
    frame = frame[frame["outcome"] != "inconclusive"].reset_index(drop=True)
    prepared = prepare_table(settings, StreamQuestion(group="vulnerability", repeats=3), frame)
    frame["cold"] = [arrival.patch.probability for arrival in prepared.arrivals]
    sums: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    folders = {vulnerability.id: vulnerability for vulnerability in find(settings.vulnerabilities)}
    for name, rows in frame.groupby("vulnerability"):
        try:
            folder = folders[str(name)].vulnerable(settings.cache)
        except (KeyError, CrisolError):
            continue
        fix, pool = _pool(rows, folder)
        if not any(candidate.valid for candidate in pool) or len(pool) < 5:
            continue
        for order, paths in _orders(pool, fix, _stage(prepared, str(name))).items():
            wargames, seconds = np.mean([_until_valid(path) for path in paths], axis=0)
            sums[order].append((wargames, seconds, float(len(pool))))
    base = np.mean(sums["random"], axis=0)
    for order, values in sums.items():
        wargames, seconds, size = np.mean(values, axis=0)
        print(
            f"{order:10} {wargames:6.2f} wargames ({wargames / base[0]:4.0%} of random), "
            f"{seconds:6.2f} s ({seconds / base[1]:4.0%}), "
            f"{len(values)} vulnerabilities of {size:.0f} candidates"
        )


def _stage(prepared: Prepared, name: str) -> SecondStage:
    return prepared.stages[int(prepared.fold[list(prepared.names).index(name)])]


def _pool(rows: pd.DataFrame, folder: Path) -> tuple[_Candidate | None, list[_Candidate]]:
    """Return the reference fix, and every other program that the candidates make, one candidate for each."""
    tree = open_tree(folder)
    seen, fix, pool = {VULNERABLE}, None, []
    public = rows["name"].isin(_FIXES)
    for row in pd.concat([rows[public], rows[~public]]).itertuples():
        patch = diff.parse(str(row.diff))
        try:
            program = tree.identity(diff.apply(patch, tree.read))
        except CrisolError:
            continue
        if program in seen:
            continue
        seen.add(program)
        candidate = _Candidate(
            str(row.name), patch, row.outcome == "valid", float(row.seconds), float(row.cold)
        )
        if fix is None and row.name in _FIXES and candidate.valid:
            fix = candidate
        else:
            pool.append(candidate)
    return fix, pool


def _orders(
    pool: list[_Candidate], fix: _Candidate | None, second: SecondStage
) -> dict[str, list[list[_Candidate]]]:
    rng = np.random.default_rng(0)
    return {
        "random": [[pool[at] for at in rng.permutation(len(pool))] for _ in range(_REPEATS)],
        "cold": [sorted(pool, key=lambda candidate: -candidate.cold)],
        "likeness": [_learning(pool, fix, None)],
        "memory": [_learning(pool, fix, second)],
    }


def _learning(
    pool: Sequence[_Candidate], fix: _Candidate | None, second: SecondStage | None
) -> list[_Candidate]:
    """Return the order in which triage wargames, with the second stage or, without any model, by likeness."""
    order = TriageOrder(second)
    if fix is not None:
        order.add(_FIX, fix.patch, None if second is None else fix.cold)
        order.learn(_FIX, valid=True)
    left = {candidate.name: candidate for candidate in pool}
    for candidate in pool:
        order.add(candidate.name, candidate.patch, None if second is None else candidate.cold)
    done = []
    while left:
        candidate = left.pop(max(left, key=order.promise))
        done.append(candidate)
        order.learn(candidate.name, valid=candidate.valid)
    return done


def _until_valid(path: list[_Candidate]) -> tuple[int, float]:
    count = next(at for at, candidate in enumerate(path, 1) if candidate.valid)
    return count, sum(candidate.seconds for candidate in path[:count])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
