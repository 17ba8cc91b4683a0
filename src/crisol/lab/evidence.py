"""What deciding from the verdicts of other patches would have saved: streams over labelled sets, beside baselines.

``measured = measure(prepare(settings, StreamQuestion(Path("set.jsonl"))))`` answers what ``crisol evaluate --stream``
prints and what the notebook ``09_evidence`` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.config import Settings
from crisol.evidence.guarantee import Guarantee, certify
from crisol.evidence.memory import COLUMNS, Judged
from crisol.evidence.second_stage import SecondStage, across_groups
from crisol.evidence.similarity import sketch
from crisol.evidence.stream import Arrival, Believe, Played, Stream, play, recalled, same_code, streams
from crisol.lab.compare import chosen_variants
from crisol.model import dataset, scores
from crisol.model.evaluation import evaluate
from crisol.model.folds import grouped_folds, labels
from crisol.model.policy import NEVER, LadderPolicy, Policy
from crisol.model.reading import open_diff
from crisol.tracking.runs import TrackedRun

__all__ = ["Measured", "Prepared", "StreamQuestion", "certified", "log", "measure", "prepare"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

KNOWN = (0, 1, 2, 4, 8, 16)
NEAR_MISS = 0.8
LADDER = "facts, memory, cold"
"""The row of the whole ladder."""
_STEPS = 8
_TIGHTER = 0.8
_BOOTSTRAP = 500


@dataclass(frozen=True, slots=True)
class _Rungs:
    """Which rungs a row of the table has; ``memory`` names the belief that stands in the memory's place."""

    memory: str = ""
    model: bool = False
    facts: bool = False


_RUNGS = {
    "cold": _Rungs(model=True),
    "mean label": _Rungs("mean label"),
    "nearest neighbour": _Rungs("nearest neighbour"),
    "memory": _Rungs("memory"),
    "memory, cold": _Rungs("memory", model=True),
    "facts, cold": _Rungs(model=True, facts=True),
    "facts, memory": _Rungs("memory", facts=True),
    LADDER: _Rungs("memory", model=True, facts=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the cold model and the memory say where every verdict is known; ``some``: where a verdict is known."""

    cold: Played
    memory: Played
    some: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StreamQuestion:
    """Which labelled set, which cold model, how many streams a group, and which errors are allowed.

    ``alpha`` is the share of wrong patches among the accepted, and among the accepted that are alike to a valid one;
    ``beta`` is the share of right patches among the refused.
    """

    data: Path
    group: str = "bug_id"
    variant: str = "lightgbm"
    repeats: int = 5
    folds: int = 5
    seed: int = 0
    shuffled: bool = True
    alpha: float = 0.02
    beta: float = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A labelled set as arrivals, its streams, and a second stage for each fold that never saw the fold's groups."""

    question: StreamQuestion
    arrivals: tuple[Arrival, ...]
    label: _Ints
    group: _Ints
    names: NDArray[np.str_]
    streams: tuple[Stream, ...]
    fold: _Ints
    """The fold of each group."""
    half: _Ints
    """0 or 1 for each group: thresholds that one half chose are measured on the other."""
    stages: dict[int, SecondStage]
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The tables of a study, see :func:`measure`."""

    facts: dict[str, float | str]
    by_known: pd.DataFrame
    policies: pd.DataFrame
    near_misses: pd.DataFrame
    played: Played
    """What the whole ladder did."""
    full: dict[str, Played]
    """What each belief says where every patch is wargamed."""


def prepare(settings: Settings, question: StreamQuestion) -> Prepared:
    """Read the set, predict every patch by a cold model that never saw its group, and learn the second stages.

    Raises :class:`~crisol.errors.DatasetError`.
    """
    patches = dataset.open_set(question.data, question.group)
    (variant,) = chosen_variants(settings, (question.variant,)).values()
    cold = evaluate(variant, patches, seed=question.seed, bootstrap=1, search=False).probability
    label = labels(patches)
    names, group = np.unique([patch.group for patch in patches], return_inverse=True)
    seconds, table = _seconds(question.data), question.data.suffix == ".parquet"
    arrivals = []
    for patch, probability in zip(patches, cold, strict=True):
        read = open_diff(patch.diff)
        judged = Judged(patch.id, sketch(read), bool(patch.label), float(probability), patch.reason)
        public = table and patch.tool == "upstream" and bool(patch.label)
        arrivals.append(Arrival(judged, same_code(read), seconds.get(patch.id, 1.0), public))
    chosen = streams(
        arrivals, group, repeats=question.repeats, seed=question.seed, shuffled=question.shuffled
    )
    fold_of = np.zeros(len(names), dtype=np.int_)
    fold_of[group] = grouped_folds(label, names[group], question.folds, question.seed)
    half = np.random.default_rng(question.seed).permutation(len(names)) % 2
    learning = streams(arrivals, group, repeats=max(question.repeats, 5), seed=question.seed + 1)
    taught = recalled(arrivals, learning, seed=question.seed)
    stages = across_groups(
        taught.rows, label[taught.arrival], fold_of[group[taught.arrival]], seed=question.seed
    )
    return Prepared(
        question, tuple(arrivals), label, group, names, tuple(chosen), fold_of, half, stages, dataset.digest(patches)
    )  # fmt: skip


def measure(prepared: Prepared, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Walk every stream under each policy; ``tell`` is told what comes next.

    ``by_known`` has a row for each number of known verdicts where every verdict becomes known: patches, AUC with a 95 %
    interval over groups, that of each baseline, average precision, calibration error. ``policies`` has a row a policy:
    what share of the wargames and of their seconds it skips, and its errors, by thresholds that the other half of the
    groups chose. ``near_misses`` tells the same of wrong patches that are alike to a valid one by more than 0.8.
    """
    learnt = _learnt(prepared)
    tell("every verdict known")
    whole = recalled(prepared.arrivals, prepared.streams)
    some = whole.rows[:, COLUMNS.index("known")] > 0
    beliefs: dict[str, Believe] = {
        "cold": _cold, "mean label": _share(prepared), "nearest neighbour": _neighbour, "memory": learnt,
    }  # fmt: skip
    groups = prepared.group[whole.arrival]
    full_by = {name: whole.played(believe(whole.rows, groups)) for name, believe in beliefs.items()}
    full = full_by["memory"]
    plays: dict[str, Played] = {"always wargame": full}
    tell("facts")
    plays["facts"] = _play(prepared, learnt, LadderPolicy(), facts=True)
    for name, rungs in _RUNGS.items():
        tell(name)
        belief = rungs.memory or "cold"
        seen = _Seen(full_by["cold"], full_by[belief], some)
        plays[name] = _by_halves(prepared, beliefs[belief], seen, rungs)
    policies = pd.DataFrame(
        [{"policy": name, **_outcome(prepared, played)} for name, played in plays.items()]
    )
    near = pd.DataFrame(
        [{"policy": name, **_near_misses(prepared, played)} for name, played in plays.items()]
    )
    facts: dict[str, float | str] = {
        "patches": float(len(prepared.label)),
        "correct": float(prepared.label.sum()),
        "groups": float(len(prepared.names)),
        "repeats": float(prepared.question.repeats),
        "content_hash": prepared.digest,
    }
    return Measured(facts, _by_known(prepared, full_by), policies, near, plays[LADDER], full_by)


def certified(prepared: Prepared, model: Policy = NEVER, *, delta: float = 0.10) -> Guarantee:
    """Return the policy of the memory that is shown to hold over streams, see :mod:`crisol.evidence.guarantee`.

    Facts are applied before it, and ``model`` is the policy of the cold model behind it.
    """
    learnt = _learnt(prepared)
    return certify(
        lambda policy: _play(prepared, learnt, LadderPolicy(policy, model), facts=True),
        prepared.label,
        prepared.group,
        alpha=prepared.question.alpha,
        beta=prepared.question.beta,
        delta=delta,
        seed=prepared.question.seed,
    )


def log(run: TrackedRun, prepared: Prepared, measured: Measured) -> None:
    """Log what was asked, the tables, and a metric for each cell, so that two runs compare."""
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


def _learnt(prepared: Prepared) -> Believe:
    def believe(rows: _Floats, group: _Ints) -> _Floats:
        probability = np.empty(len(rows))
        for number, stage in prepared.stages.items():
            inside = prepared.fold[group] == number
            probability[inside] = stage.probabilities(rows[inside])
        return probability

    return believe


def _cold(rows: _Floats, _group: _Ints) -> _Floats:
    return np.asarray(1 / (1 + np.exp(-rows[:, COLUMNS.index("cold")])), dtype=np.float64)


def _share(prepared: Prepared) -> Believe:
    usual = float(prepared.label.mean())
    return lambda rows, _group: np.nan_to_num(rows[:, COLUMNS.index("share")], nan=usual)


def _neighbour(rows: _Floats, _group: _Ints) -> _Floats:
    right, wrong = (
        np.nan_to_num(rows[:, COLUMNS.index(f"{label}_similarity")]) for label in ("valid", "invalid")
    )
    return np.asarray((1 + right - wrong) / 2, dtype=np.float64)


def _play(
    prepared: Prepared, believe: Believe, policy: LadderPolicy, *, facts: bool, half: int | None = None
) -> Played:
    chosen = [stream for stream in prepared.streams if half is None or prepared.half[stream.group] == half]
    return play(prepared.arrivals, chosen, believe, policy, facts=facts)


def _by_halves(prepared: Prepared, believe: Believe, seen: _Seen, rungs: _Rungs) -> Played:
    """Play each half of the groups by the thresholds that the other half chose, those of the model first."""
    parts = []
    for half in (0, 1):
        policy = LadderPolicy()
        inside = prepared.half[prepared.group[seen.cold.arrival]] == 1 - half
        walk = partial(_play, prepared, believe, facts=rungs.facts, half=1 - half)
        if rungs.model:
            chosen = _loosest(prepared, seen.cold, inside)
            policy = _tightened(prepared, walk, lambda model: LadderPolicy(model=model), chosen)
        if rungs.memory:
            chosen, cold = _loosest(prepared, seen.memory, inside & seen.some), policy.model
            policy = _tightened(prepared, walk, partial(LadderPolicy, model=cold), chosen)
        parts.append(_play(prepared, believe, policy, facts=rungs.facts, half=half))
    return Played(*(np.concatenate([getattr(part, name) for part in parts]) for name in Played.__slots__))


def _tightened(
    prepared: Prepared,
    walk: Callable[[LadderPolicy], Played],
    ladder: Callable[[Policy], LadderPolicy],
    policy: Policy,
) -> LadderPolicy:
    """Tighten the thresholds of one rung until the errors of what is played by them are allowed.

    Acceptance is given up where fewer are accepted than would show its level: one error in 1 / alpha.
    """
    question = prepared.question
    for step in range(2 * _STEPS):
        played = walk(ladder(policy))
        outcome, near = _outcome(prepared, played), _near_misses(prepared, played)
        accepts = policy.accept is None or (
            max(outcome["false_of_accepted"], near["false_of_accepted"]) <= question.alpha
            and (played.decision == 1).sum() * question.alpha >= 1
        )
        refuses = policy.reject is None or outcome["false_refusals"] <= question.beta
        if accepts and refuses:
            return ladder(policy)
        accept, reject = policy.accept, policy.reject
        if not accepts and accept is not None:
            accept = None if step >= _STEPS else 1 - (1 - accept) * _TIGHTER
        if not refuses and reject is not None:
            reject *= _TIGHTER
        policy = Policy(accept, reject, policy.reason)
    return ladder(NEVER)


def _loosest(prepared: Prepared, full: Played, inside: NDArray[np.bool_]) -> Policy:
    """Return the loosest thresholds whose errors are allowed on these arrivals, every verdict being known."""
    question, probability = prepared.question, full.probability[inside]
    label = prepared.label[full.arrival[inside]]
    order = np.argsort(probability, kind="stable")
    belief, right = probability[order], label[order]
    count = np.arange(1, len(right) + 1)
    fitting = np.flatnonzero(np.cumsum(right) <= question.beta * count)
    refused = int(fitting.max()) + 1 if len(fitting) else 0
    wrong = np.cumsum(1 - right[refused:][::-1])
    fitting = np.flatnonzero(wrong <= question.alpha * count[: len(wrong)])
    accepted = int(fitting.max()) + 1 if len(fitting) else 0
    reject = float(belief[refused - 1]) if refused else None
    accept = float(belief[len(belief) - accepted]) if accepted else None
    if accept is not None and reject is not None and accept <= reject:
        accept = None
    return Policy(accept, reject, "loosest on the patches at hand")


def _outcome(prepared: Prepared, played: Played) -> dict[str, float]:
    """Return what a play skips and gets wrong, with intervals over groups."""
    label, group = prepared.label[played.arrival], prepared.group[played.arrival]
    seconds = np.array([prepared.arrivals[at].seconds for at in played.arrival])
    accepted, refused = played.decision == 1, played.decision == -1
    skipped = accepted | refused
    wrong = accepted & (label == 0)
    low, high = _interval(skipped.astype(float), np.ones(len(label)), group)
    saved_low, saved_high = _interval(skipped * seconds, seconds, group)
    return {
        "skipped": float(skipped.mean()),
        "skipped_low": low,
        "skipped_high": high,
        "seconds": float((skipped * seconds).sum() / seconds.sum()),
        "seconds_low": saved_low,
        "seconds_high": saved_high,
        "accepted": float(accepted.mean()),
        "refused": float(refused.mean()),
        "false_accepts": _ratio(wrong, skipped),
        "false_of_accepted": _ratio(wrong, accepted),
        "false_refusals": _ratio(refused & (label == 1), refused),
    }


def _near_misses(prepared: Prepared, played: Played) -> dict[str, float]:
    wrong = prepared.label[played.arrival] == 0
    alike = np.nan_to_num(played.near_valid) > NEAR_MISS
    near = wrong & alike
    return {
        "near_misses": float(near.sum()),
        "false_accepts": float((near & (played.decision == 1)).sum()),
        "share": _ratio(near & (played.decision == 1), near),
        "refused": _ratio(near & (played.decision == -1), near),
        "accepted": float((alike & (played.decision == 1)).sum()),
        "false_of_accepted": _ratio(near & (played.decision == 1), alike & (played.decision == 1)),
    }


def _by_known(prepared: Prepared, full: dict[str, Played]) -> pd.DataFrame:
    played = full["memory"]
    rows = []
    for known in KNOWN:
        inside = played.known == known
        label = prepared.label[played.arrival[inside]]
        if not inside.any() or not 0 < label.sum() < len(label):
            continue
        group = prepared.names[prepared.group[played.arrival[inside]]]
        belief = played.probability[inside]
        low, high = scores.auc_interval(label, belief, group, repeats=_BOOTSTRAP, seed=prepared.question.seed)
        row: dict[str, float] = {
            "known": known,
            "patches": len(label),
            "groups": len(np.unique(group)),
            "auc": scores.auc(label, belief),
            "auc_low": low,
            "auc_high": high,
        }
        row |= {
            f"auc_{name.replace(' ', '_')}": scores.auc(label, other.probability[inside])
            for name, other in full.items()
            if name != "memory"
        }
        row["average_precision"] = scores.average_precision(label, belief)
        row["calibration_error"] = scores.calibration_error(label, belief)
        rows.append(row)
    return pd.DataFrame(rows)


def _interval(part: _Floats, whole: _Floats, group: _Ints) -> tuple[float, float]:
    """Return the 95 % bootstrap of a ratio of sums, in which groups are drawn."""
    names, number = np.unique(group, return_inverse=True)
    above, below = np.bincount(number, weights=part), np.bincount(number, weights=whole)
    drawn = np.random.default_rng(0).integers(len(names), size=(_BOOTSTRAP, len(names)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _seconds(path: Path) -> dict[str, float]:
    if path.suffix != ".parquet":
        return {}
    frame = pd.read_parquet(path, columns=["id", "seconds"])
    return dict(zip(frame["id"].astype(str), frame["seconds"].astype(float), strict=True))


def _ratio(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 0.0
