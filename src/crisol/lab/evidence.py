"""A study of streams: how many wargames become unnecessary through earlier verdicts on other patches.

``measured = measure(prepare(settings, StreamQuestion(Path("set.jsonl"))))`` has the tables that ``crisol
evaluate --stream`` prints and that the notebook ``09_evidence`` shows.
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
from crisol.lab.arrivals import Prepared, StreamQuestion, arrange, prepare, prepare_table
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
]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The results of a study of streams; :func:`measure` makes it.

    - ``facts``: the number of ``patches``, of valid patches (``correct``) and of ``groups``; ``repeats``, the
      number of orders in which the patches of each group arrive; and ``content_hash``, the SHA-256 of the
      patches.
    - ``by_known``: a table with a row for each number of earlier verdicts on the vulnerability; for its
      columns see :func:`measure`.
    - ``policies``, ``near_misses``: two tables with a row for each policy; for their columns see
      :func:`measure`.
    - ``coverages``: two arrays for each of three ways to predict, ``memory``, ``cold`` and
      ``nearest neighbour``: the coverage and error rate that :func:`crisol.lab.frontier.risk_coverage`
      returns. They count only patches that arrived when a verdict on their vulnerability was known; without
      such patches ``coverages`` is empty.
    """

    facts: dict[str, float | str]
    by_known: pd.DataFrame
    policies: pd.DataFrame
    near_misses: pd.DataFrame
    coverages: dict[str, tuple[_Floats, _Floats]]


def measure(prepared: Prepared, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Simulate all streams under each policy of the study, and return the tables of the results.

    The policies are ``always wargame``, ``facts`` (a patch that no fact decides is wargamed) and those of
    :data:`crisol.lab.stream_policies.RUNGS`, by these names. A policy's thresholds for one half of the groups
    are chosen on the other half. ``tell`` is called before each simulation: with ``every verdict known``
    before that of ``always wargame``, with the name of the policy before any other. The tables have these
    columns:

    - ``by_known``: those of :func:`crisol.lab.stream_tables.by_known`;
    - ``policies``: policy (its name), and those of :func:`crisol.lab.stream_tables.outcome`;
    - ``near_misses``: policy, and those of :func:`crisol.lab.stream_tables.near_misses`.
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
        "repeats": float(prepared.question.repeats if prepared.question.shuffled else 1),
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
    """Return the policy of the second stage that skips the most wargames within two bounds, as a guarantee.

    Facts decide first, then the second stage, then the model that reads the diff alone, by the policy
    ``model``; by default it never decides. Of all patches that they accept, at most the share ``alpha`` of
    ``prepared.question`` is invalid, and of all that they reject, at most ``beta`` is valid. Tests on the
    streams of ``prepared`` show each bound with confidence 1 - ``delta``.
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
    """Store a study of streams in an MLflow run: its parameters, its tables, and metrics.

    There is a metric for each cell of the tables ``by_known`` and ``policies``, with a name such as
    ``auc_after_4`` (column and number of earlier verdicts) or ``facts_and_memory.skipped`` (policy and
    column).
    """
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
