"""Whether what a run shows beyond pass and fail foretells the verdict better than memory alone.

``python experiments/bench/measure_runs.py [data/cache/corpus.parquet]`` reads the runs that
``collect_runs.py`` wrote. Candidates of a vulnerability arrive in random order, five times. Of those that
pass the first k PoVs, a small model (LightGBM of 7 leaves, by folds that split no vulnerability) foretells
the verdict: from the second stage's log-odds alone, which know the earlier verdicts; and with the evidence of
the k runs, and of how earlier candidates whose runs looked alike were judged. Prints, for each k, the AUC of
both with the interval of their difference over vulnerabilities, and the share that each may refuse with at
most 10 % of right ones among them, with thresholds chosen on the other half of the vulnerabilities.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from collect_runs import OUT
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from crisol.config import load_settings
from crisol.evidence.stream import recalled, streams
from crisol.lab.arrivals import Prepared, StreamQuestion, prepare_table
from crisol.lab.stream_policies import learnt
from crisol.wargaming.corpus import load_table

_REPEATS, _BETA, _DRAWS = 5, 0.10, 1000
_CLOCK = 0.005
_POVS = {"baseline", "apply", "static", "names", "pov"}
_ACCIDENTS = {"TypeError", "AttributeError", "UnboundLocalError", "NameError", "ImportError"}
_VALUES = {"ValueError", "OverflowError", "UnicodeError", "UnicodeDecodeError", "OSError", "PermissionError"}
_LOOKUPS = {"KeyError", "IndexError", "LookupError", "StopIteration"}
_NAMES = (
    "changed", "share that ran", "none ran", "cpu", "raised", "new accident", "new value", "new lookup",
    "new other", "less raised", "raised at a change", "same output", "same as unpatched", "alike",
    "alike valid", "alike share", "looks as a valid", "looks as an invalid",
)  # fmt: skip
_Floats = NDArray[np.float64]


def main(table: Path) -> None:
    """Print two lines for each number of runs."""
    settings = load_settings()
    frame = load_table(table)
    frame = frame[frame["outcome"] != "inconclusive"].reset_index(drop=True)
    prepared = prepare_table(settings, StreamQuestion(group="vulnerability", repeats=1), frame)
    lines = (settings.cache / OUT).read_text(encoding="utf-8").splitlines()
    runs = {told["vulnerability"]: told["runs"] for told in map(json.loads, lines)}
    rows = _rows(prepared, runs)
    later = _later(frame)
    for passed in (1, 2, 3):
        part = rows[rows["passed"] == passed].reset_index(drop=True)
        _print(prepared, part, passed, later)


def _rows(prepared: Prepared, runs: dict[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """Return a row for each arrival and each number of PoVs that its candidate passed."""
    group = [number for number, name in enumerate(prepared.names) if name in runs]
    drawn = streams(prepared.arrivals, prepared.group, repeats=_REPEATS, seed=7)
    inside = [stream for stream in drawn if stream.group in group]
    whole = recalled(prepared.arrivals, inside)
    belief = learnt(prepared)(whole.rows, prepared.group[whole.arrival])
    at = 0
    rows = []
    for stream in inside:
        by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for run in runs[prepared.names[stream.group]]:
            by_id[run["id"]].append(run)
        plain = by_id[""]
        judged = [(by_id.get(prepared.arrivals[one].patch.identity, []), True) for one in stream.known]
        for arrival in stream.order:
            mine = by_id.get(prepared.arrivals[arrival].patch.identity, [])
            good = next((n for n, run in enumerate(mine) if run["reason"]), len(mine))
            rows += [
                {
                    "arrival": arrival, "group": stream.group, "passed": passed,
                    "label": int(prepared.label[arrival]),
                    "memory": math.log(belief[at] / (1 - belief[at])),
                    **dict(zip(_NAMES, _evidence(mine[:passed], plain, judged), strict=True)),
                }
                for passed in range(1, good + 1)
            ]  # fmt: skip
            judged.append((mine, bool(prepared.label[arrival])))
            at += 1
    return pd.DataFrame(rows)


def _evidence(
    mine: Sequence[dict[str, Any]],
    plain: Sequence[dict[str, Any]],
    judged: Sequence[tuple[list[dict[str, Any]], bool]],
) -> list[float]:
    """Return what the runs of one candidate show, in the order of the names; the last four are memory."""
    changed = mine[0]["changed"]
    shares = [run["ran"] / max(changed, 1) for run in mine if run["ran"] is not None]
    came, less, at_change = defaultdict(int), 0, 0
    for run, base in zip(mine, plain, strict=False):
        before, after = _raised(base), _raised(run)
        for kind in after - before:
            came[_class(kind[0])] += 1
        less += len(before - after)
        at_change += any(at for *_, at in run["raised"])
    look = _look(mine)
    k = len(mine)
    labels = [valid for runs, valid in judged if len(runs) >= k and _look(runs[:k]) == look]
    cpu = [
        math.log((run["cpu"] + 0.005) / (base["cpu"] + 0.005)) for run, base in zip(mine, plain, strict=False)
    ]
    return [
        changed, max(shares, default=math.nan), float(max(shares, default=1.0) == 0.0), max(cpu, key=abs),
        sum(run["ending"] == "raised" for run in mine),
        came["accident"], came["value"], came["lookup"], came["other"], less, at_change,
        float(all(run["output"] == base["output"] for run, base in zip(mine, plain, strict=False))),
        float(look == _look(plain[: len(mine)])),
        len(labels), sum(labels), (sum(labels) + 0.35) / (len(labels) + 1),
        float(any(labels)), float(not all(labels)),
    ]  # fmt: skip


def _raised(run: dict[str, Any]) -> set[tuple[str, str]]:
    return {(name, words) for name, _, words, _ in run["raised"]}


def _class(name: str) -> str:
    for kind, names in (("accident", _ACCIDENTS), ("value", _VALUES), ("lookup", _LOOKUPS)):
        if name in names:
            return kind
    return "other"


def _look(runs: Sequence[dict[str, Any]]) -> tuple[Any, ...]:
    """Return by what two candidates' runs are taken to look alike."""
    return tuple(
        (run["ending"], run["last"], run["output"], frozenset(_raised(run)), bool(run["ran"])) for run in runs
    )


def _later(frame: pd.DataFrame) -> _Floats:
    """Return the seconds of each candidate's wargame behind its PoVs."""
    return np.array(
        [
            sum(
                seconds for name, _, seconds in json.loads(phases) if name not in {"baseline", "apply", "pov"}
            )
            for phases in frame["phases"]
        ]
    )


def _print(prepared: Prepared, part: pd.DataFrame, passed: int, later: _Floats) -> None:
    label, group = part["label"].to_numpy(), part["group"].to_numpy()
    fold = prepared.fold[group]
    own = [name for name in _NAMES if not name.startswith(("alike", "looks"))]
    columns = {"memory": ["memory"], "and runs": ["memory", *own], "and alike": ["memory", *_NAMES]}
    score = {name: _scores(part[list(use)].to_numpy(float), label, fold) for name, use in columns.items()}
    print(
        f"after {passed}: {part['arrival'].nunique()} candidates of {part['group'].nunique()} "
        f"vulnerabilities pass, {label.mean():.1%} valid"
    )
    for name, values in score.items():
        low, high = _difference(label, group, values, score["memory"])
        refused = _refused(values, label, prepared.half[group])
        seconds = later[part["arrival"]]
        print(
            f"  {name:10} AUC {roc_auc_score(label, values):.3f} (against memory {low:+.3f} to {high:+.3f}), "
            f"refuses {refused.mean():.1%} and {seconds[refused].sum() / seconds.sum():.1%} of the seconds "
            f"left, of which {label[refused].mean() if refused.any() else 0:.1%} are right"
        )


def _scores(rows: _Floats, label: NDArray[np.int_], fold: NDArray[np.int_]) -> _Floats:
    score = np.empty(len(label))
    parameters = {
        "objective": "binary", "learning_rate": 0.04, "num_leaves": 7, "min_data_in_leaf": 60,
        "lambda_l2": 5.0, "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": 1, "verbosity": -1,
        "seed": 0, "deterministic": True,
    }  # fmt: skip
    for number in np.unique(fold):
        inside = fold == number
        trees = lightgbm.train(parameters, lightgbm.Dataset(rows[~inside], label[~inside]), 150)
        score[inside] = trees.predict(rows[inside])
    return score


def _difference(
    label: NDArray[np.int_], group: NDArray[np.int_], score: _Floats, other: _Floats
) -> tuple[float, float]:
    rng, numbers = np.random.default_rng(0), np.unique(group)
    rows = {number: np.flatnonzero(group == number) for number in numbers}
    differences = []
    for _ in range(_DRAWS):
        at = np.concatenate([rows[number] for number in rng.choice(numbers, len(numbers))])
        differences.append(roc_auc_score(label[at], score[at]) - roc_auc_score(label[at], other[at]))
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def _refused(score: _Floats, label: NDArray[np.int_], half: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Return what is refused by the loosest threshold that the other half of the vulnerabilities allows."""
    refused = np.zeros(len(label), dtype=bool)
    for number in (0, 1):
        inside = half != number
        order = np.argsort(score[inside], kind="stable")
        right = np.cumsum(label[inside][order])
        fitting = np.flatnonzero(right <= _BETA * np.arange(1, len(right) + 1))
        if len(fitting):
            refused[~inside] = score[~inside] <= score[inside][order][fitting.max()]
    return refused


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else load_settings().cache / "corpus.parquet")
