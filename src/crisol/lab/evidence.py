"""Wargames that known verdicts of other patches would have saved: streams over labelled sets, baselines.

``measured = measure(prepare(settings, StreamQuestion(Path("set.jsonl"))))`` answers what ``crisol evaluate
--stream`` prints and what the notebook ``09_evidence`` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.evidence.guarantee import Guarantee, certify
from crisol.evidence.memory import COLUMNS
from crisol.evidence.stream import Played, recalled
from crisol.lab.arrivals import Prepared, StreamQuestion, arrange, prepare, prepare_table, taught
from crisol.lab.frontier import risk_coverage
from crisol.lab.stream_policies import LADDER, RUNGS, Seen, beliefs, by_halves, learnt, walk
from crisol.lab.stream_tables import by_known, near_misses, outcome
from crisol.model.policy import NEVER, LadderPolicy, Policy
from crisol.tracking.runs import TrackedRun

__all__ = [
    "Measured",
    "Prepared",
    "StreamQuestion",
    "arrange",
    "certified",
    "log",
    "measure",
    "prepare",
    "prepare_table",
    "taught",
]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The tables of a study of streams, see :func:`measure`.

    ``coverages`` holds the error rate by coverage for each source of probabilities, see
    :func:`crisol.lab.frontier.risk_coverage`, over the patches with an earlier verdict of their group.
    """

    facts: dict[str, float | str]
    by_known: pd.DataFrame
    policies: pd.DataFrame
    near_misses: pd.DataFrame
    coverages: dict[str, tuple[_Floats, _Floats]]


def measure(prepared: Prepared, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Simulate every stream under each policy; ``tell`` is called with the name of each before it starts.

    ``by_known`` has a row for each number of earlier verdicts: patches, AUC (95 % over groups) of memory and
    baselines, calibration error, and what the whole ladder skips and decides wrongly. ``policies`` has a row
    for each policy: the share of wargames and of their seconds that it skips, and its errors, by thresholds
    chosen on the other half of the groups. ``near_misses`` is the same for wrong patches with a similarity
    above 0.8 to a valid one.
    """
    tell("every verdict known")
    whole = recalled(prepared.arrivals, prepared.streams)
    some = whole.rows[:, COLUMNS.index("known")] > 0
    believe = beliefs(prepared)
    groups = prepared.group[whole.arrival]
    full_by = {name: whole.played(belief(whole.rows, groups)) for name, belief in believe.items()}
    full = full_by["memory"]
    plays: dict[str, Played] = {"always wargame": full}
    tell("facts")
    plays["facts"] = walk(prepared, believe["memory"], LadderPolicy(), facts=True)
    for name, rungs in RUNGS.items():
        tell(name)
        belief = rungs.memory or "cold"
        seen = Seen(full_by["cold"], full_by[belief], some)
        plays[name] = by_halves(prepared, believe[belief], seen, rungs)
    policies = pd.DataFrame([{"policy": name, **outcome(prepared, played)} for name, played in plays.items()])
    near = pd.DataFrame([{"policy": name, **near_misses(prepared, played)} for name, played in plays.items()])
    facts: dict[str, float | str] = {
        "patches": float(len(prepared.label)),
        "correct": float(prepared.label.sum()),
        "groups": float(len(prepared.names)),
        "repeats": float(prepared.question.repeats),
        "content_hash": prepared.digest,
    }
    label = prepared.label[whole.arrival]
    coverages = {
        name: risk_coverage(label[some], full_by[name].probability[some])
        for name in ("memory", "cold", "nearest neighbour")
        if some.any()
    }
    return Measured(facts, by_known(prepared, full_by, plays[LADDER]), policies, near, coverages)


def certified(prepared: Prepared, model: Policy = NEVER, *, delta: float = 0.10) -> Guarantee:
    """Return the memory's policy with its guarantee over streams, see :mod:`crisol.evidence.guarantee`.

    ``model`` is the policy of the model that reads the diff alone, applied where the memory does not decide.
    ``delta`` is 1 minus the confidence.
    """
    believe = learnt(prepared)
    return certify(
        lambda policy: walk(prepared, believe, LadderPolicy(policy, model), facts=True),
        prepared.label,
        prepared.group,
        alpha=prepared.question.alpha,
        beta=prepared.question.beta,
        delta=delta,
        seed=prepared.question.seed,
    )


def log(run: TrackedRun, prepared: Prepared, measured: Measured) -> None:
    """Log the question, the tables, and a metric for each cell of ``by_known`` and ``policies`` to MLflow."""
    run.params(asdict(prepared.question))
    run.tags({"data.content_hash": prepared.digest})
    for row in measured.by_known.to_dict("records"):
        known = row.pop("known")
        run.metrics({f"{name}_after_{known:g}": value for name, value in row.items()})
    for row in measured.policies.to_dict("records"):
        policy = str(row.pop("policy")).replace(", ", "_and_").replace(" ", "_")
        run.metrics({f"{policy}.{name}": value for name, value in row.items()})
    run.table("by_known", measured.by_known)
    run.table("policies", measured.policies)
    run.table("near_misses", measured.near_misses)
