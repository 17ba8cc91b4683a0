"""The seconds of wargames in a learnt order of scripts, against the fixed order, simulated on a corpus table.

``python experiments/bench/measure_order.py [data/cache/corpus.parquet]``. The table does not say what scripts
behind the failing one would have said: they are taken to pass, so this is the least that an order saves.
Seconds are those of the scripts alone; of a script that did not run they are its mean on the vulnerability.
Candidates arrive in random order, five times; the order of a vulnerability is learnt from its earlier
arrivals and from those of other vulnerabilities.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crisol.config import load_settings
from crisol.model.risk import least, p_value
from crisol.records import PhaseName
from crisol.wargaming.corpus import load_table
from crisol.wargaming.order import Experience, ScriptRun, ScriptStep, plan
from crisol.wargaming.vulnerability import Vulnerability, find

_REPEATS = 5
_DRAWS = 2_000
_ALPHA, _DELTA = 0.02, 0.1
_Order = Callable[[str, list[ScriptStep], dict[str, float]], list[ScriptStep]]
_Learn = Callable[[ScriptRun], None]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a table tells: each candidate's vulnerability and runs, and the mean seconds of each script."""

    flaws: dict[str, Vulnerability]
    candidates: list[tuple[str, list[ScriptRun]]]
    costs: dict[str, dict[str, float]]


def main(table: Path) -> None:
    """Print one line for each order of scripts."""
    frame = load_table(table)
    flaws = {flaw.id: flaw for flaw in find(load_settings().vulnerabilities)}
    frame = frame[frame["vulnerability"].isin(flaws) & (frame["reason"] != "undefined_name")]
    by_patch = _runs(frame, flaws)
    costs = _costs(run for runs in by_patch.values() for run in runs)
    judged = _Judged(flaws, [(flaw, runs) for (flaw, _), runs in by_patch.items()], costs)
    failing = sum(any(run.failed for run in runs) for runs in by_patch.values())
    last = _last_phases(frame)
    print(
        f"{len(judged.candidates)} candidates of {len(costs)} vulnerabilities, {failing} "
        f"fail a script; the phases behind the scripts take {last:.0f} s more"
    )
    fixed: list[float] = []
    for name, play in _ORDERS.items():
        sums = [play(judged, np.random.default_rng(seed)) for seed in range(_REPEATS)]
        seconds = np.mean(sums, axis=0)
        fixed = fixed or seconds.tolist()
        print(
            f"{name:32} candidates that fail {seconds[0]:6.1f} s ({seconds[0] / fixed[0]:4.0%}), "
            f"all {seconds.sum():7.1f} s ({seconds.sum() / sum(fixed):4.0%}), "
            f"with the last phases {(seconds.sum() + last) / (sum(fixed) + last):4.0%}"
        )
    print(_before_the_last_phases(frame))


def _runs(frame: pd.DataFrame, flaws: dict[str, Vulnerability]) -> dict[tuple[str, str], list[ScriptRun]]:
    """Return the runs of each candidate that the table tells of, by vulnerability and name.

    A phase's seconds are shared out equally among its scripts. A phase whose failing script is not told is
    left out.
    """
    scripts = {
        name: {step.name: [script.name for script in step.scripts] for step in plan(flaw.povs, flaw.checks)}
        for name, flaw in flaws.items()
    }
    runs: dict[tuple[str, str], list[ScriptRun]] = defaultdict(list)
    columns = ["vulnerability", "name", "detail", "phases"]
    for flaw, patch, detail, phases in frame[columns].itertuples(index=False, name=None):
        failing = str(detail).partition(": ")[0]
        for name, reason, seconds in json.loads(phases):
            ran = scripts[flaw].get(name, [])
            if reason:
                ran = ran[: ran.index(failing) + 1] if failing in ran else []
            runs[flaw, patch] += [
                ScriptRun(
                    flaw, script, PhaseName(name), bool(reason) and script == failing, seconds / len(ran)
                )
                for script in ran
            ]
    return {key: told for key, told in runs.items() if told}


def _costs(runs: Iterable[ScriptRun]) -> dict[str, dict[str, float]]:
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        seconds[run.vulnerability][run.script].append(run.seconds)
    return {
        flaw: {name: float(np.mean(values)) for name, values in scripts.items()}
        for flaw, scripts in seconds.items()
    }


def _before_the_last_phases(frame: pd.DataFrame) -> str:
    """Say whether patches that pass every script may be accepted without the last phases."""
    passed = frame[frame["basic_outcome"] == "valid"]
    wrong = passed["outcome"] == "invalid"
    loss = wrong.groupby(passed["vulnerability"]).mean()
    p = p_value(loss.to_numpy()[np.random.default_rng(0).permutation(len(loss))], _ALPHA, _DELTA)
    drawn = np.random.default_rng(0).integers(len(loss), size=(_DRAWS, len(loss)))
    low, high = np.quantile(loss.to_numpy()[drawn].mean(axis=1), [0.025, 0.975])
    return (
        f"{wrong.sum()} of {len(passed)} that pass every script fail later, of {(loss > 0).sum()} of "
        f"{len(loss)} vulnerabilities, {loss.mean():.1%} [{low:.1%}-{high:.1%}] as their mean: "
        f"p {p:.2f} for more than {_ALPHA:.0%}, at most {_DELTA} is needed ({least(_ALPHA, _DELTA)} without "
        f"an error show it)"
    )


def _last_phases(frame: pd.DataFrame) -> float:
    return sum(
        seconds
        for phases in map(json.loads, frame["phases"])
        for name, _, seconds in phases
        if name in {"again", "generated_povs", "differential"}
    )


def _played(judged: _Judged, order: _Order, learn: _Learn, rng: np.random.Generator) -> tuple[float, float]:
    """Return the seconds of the scripts of failing candidates, and of all others, in one order of arrival."""
    sums = [0.0, 0.0]
    for at in rng.permutation(len(judged.candidates)):
        flaw, runs = judged.candidates[at]
        costs = judged.costs[flaw]
        told = {run.script: run for run in runs}
        seconds, failed = 0.0, False
        ordered = order(flaw, plan(judged.flaws[flaw].povs, judged.flaws[flaw].checks), costs)
        for kind, script in ((step.name, script.name) for step in ordered for script in step.scripts):
            passed = ScriptRun(flaw, script, kind, failed=False, seconds=costs.get(script, 0.0))
            run = told.get(script, passed)
            learn(run)
            seconds, failed = seconds + run.seconds, run.failed
            if failed:
                break
        sums[0 if failed else 1] += seconds
    return sums[0], sums[1]


def _fixed(judged: _Judged, rng: np.random.Generator) -> tuple[float, float]:
    return _played(judged, lambda _flaw, steps, _costs: steps, lambda _run: None, rng)


def _learnt(judged: _Judged, rng: np.random.Generator) -> tuple[float, float]:
    experience = Experience()
    return _played(judged, experience.ordered, experience.learn, rng)


def _unlearnt(judged: _Judged, rng: np.random.Generator) -> tuple[float, float]:
    return _played(judged, Experience().ordered, lambda _run: None, rng)


def _best(judged: _Judged, _rng: np.random.Generator) -> tuple[float, float]:
    """Know the future: the failing script comes first."""
    sums = [0.0, 0.0]
    for flaw, runs in judged.candidates:
        failing = [run.seconds for run in runs if run.failed]
        sums[0 if failing else 1] += min(failing, default=sum(judged.costs[flaw].values()))
    return sums[0], sums[1]


_ORDERS = {
    "fixed": _fixed,
    "cheapest first, nothing learnt": _unlearnt,
    "learnt along the stream": _learnt,
    "the best possible": _best,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else load_settings().cache / "corpus.parquet")
