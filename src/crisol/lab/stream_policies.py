"""The policies that a study of streams compares, and their simulation.

A policy has rungs, a way to predict from memory rows, and thresholds. The groups are split into two halves;
the thresholds for each half are chosen on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crisol.evidence.memory import COLUMNS
from crisol.evidence.stream import Believe, Played, play, recalled
from crisol.lab.arrivals import Prepared
from crisol.lab.stream_tables import near_misses, outcome
from crisol.model.policy import NEVER, LadderPolicy, Policy

__all__ = ["LADDER", "RUNGS", "Rungs", "Seen", "beliefs", "by_halves", "learnt", "memory_policies", "walk"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

LADDER = "facts, memory, cold"
"""The name of the row for the whole ladder."""

_STEPS = 8
_TIGHTER = 0.8


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rungs that a simulated policy tries before the wargame.

    ``memory`` names the way in which the memory rung predicts: ``memory`` (the second stage),
    ``nearest neighbour``, ``mean label`` or ``cold``, see :func:`beliefs`; "" means that there is no memory
    rung. With ``model`` there is a rung of the model that reads the diff alone. With ``facts`` a patch that
    changes the same code as an earlier patch (:func:`crisol.evidence.stream.same_code`) gets the verdict of
    that patch.
    """

    memory: str = ""
    model: bool = False
    facts: bool = False


RUNGS = {
    "cold": Rungs(model=True),
    "mean label": Rungs("mean label"),
    "nearest neighbour": Rungs("nearest neighbour"),
    "memory": Rungs("memory"),
    "memory, cold": Rungs("memory", model=True),
    "facts, cold": Rungs(model=True, facts=True),
    "facts, memory": Rungs("memory", facts=True),
    LADDER: Rungs("memory", model=True, facts=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Two simulations of the same streams, in both of which every patch is wargamed.

    In ``cold`` the predictions come from the model that reads the diff alone, in ``memory`` from earlier
    verdicts. ``some`` is a boolean array with one element for each arrival of each stream, in the order of
    the simulations: True if an earlier verdict on the vulnerability was known when the patch arrived.
    """

    cold: Played
    memory: Played
    some: NDArray[np.bool_]


def beliefs(prepared: Prepared) -> dict[str, Believe]:
    """Return four ways to predict patches from memory rows, by name.

    Each is a function from memory rows (n, columns) and group numbers (n,), those of ``prepared.group``, to
    probabilities of valid (n,). They are ``cold`` (the model that reads the diff alone), ``mean label`` (the
    share of valid patches among those judged earlier), ``nearest neighbour`` (by the similarity to the most
    similar valid and invalid patches) and ``memory`` (the second stage).
    """
    return {
        "cold": _cold, "mean label": _share(prepared), "nearest neighbour": _neighbour,
        "memory": learnt(prepared),
    }  # fmt: skip


def learnt(prepared: Prepared) -> Believe:
    """Return a function that predicts patches from memory rows by the second stages of a study.

    The function takes memory rows (n, columns) and group numbers (n,), and returns probabilities of valid
    (n,), each by the second stage that was not trained on the row's group.
    """

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


def walk(
    prepared: Prepared, believe: Believe, policy: LadderPolicy, *, facts: bool, half: int | None = None
) -> Played:
    """Simulate the streams of a study under a policy, and return the decision on each arrival.

    Nothing is executed, since the verdicts are known. ``prepared`` is the result of
    :func:`crisol.lab.arrivals.prepare`. ``believe`` is a function from memory rows (n, columns) and group
    numbers (n,) to probabilities of valid (n,). ``policy.memory`` decides by these probabilities. The
    arrivals that it leaves undecided go to ``policy.model``, which decides by the probability from the diff
    alone. With ``facts`` a patch that changes the same code as an earlier patch
    (:func:`crisol.evidence.stream.same_code`) gets the verdict of that patch, before any policy decides.
    ``half`` selects the streams of one half of the groups (0 or 1); None takes all. In the result
    ``decision`` is 1 for accepted, -1 for rejected, 0 for wargamed.
    """
    chosen = [stream for stream in prepared.streams if half is None or prepared.half[stream.group] == half]
    return play(prepared.arrivals, chosen, believe, policy, facts=facts)


def by_halves(prepared: Prepared, believe: Believe, seen: Seen, rungs: Rungs) -> Played:
    """Simulate the streams of both halves of the groups, and return one result for both.

    ``prepared.half`` says which groups are in half 0 and which in half 1. Each half has its own policy,
    chosen on the other half. ``believe`` is a function from memory rows (n, columns) and group numbers (n,)
    to probabilities of valid (n,). ``seen`` has the predictions on which the policies are chosen. ``rungs``
    are the rungs that the policies try before the wargame. In the result the arrivals of half 0 come before
    those of half 1.
    """
    policies = _policies(prepared, believe, seen, rungs)
    parts = [walk(prepared, believe, policies[half], facts=rungs.facts, half=half) for half in (0, 1)]
    return Played(*(np.concatenate([getattr(part, name) for part in parts]) for name in Played.__slots__))


def memory_policies(prepared: Prepared) -> tuple[LadderPolicy, LadderPolicy]:
    """Return two policies for the second stage: one for the groups of half 0, one for those of half 1.

    The halves are those of ``prepared.half``. The thresholds of each policy are chosen on the other half.
    Only the second stage has thresholds; the model that reads the diff alone never decides.
    """
    whole = recalled(prepared.arrivals, prepared.streams)
    believe = learnt(prepared)
    played = whole.played(believe(whole.rows, prepared.group[whole.arrival]))
    seen = Seen(played, played, whole.rows[:, COLUMNS.index("known")] > 0)
    return _policies(prepared, believe, seen, Rungs("memory"))


def _policies(
    prepared: Prepared, believe: Believe, seen: Seen, rungs: Rungs
) -> tuple[LadderPolicy, LadderPolicy]:
    first, second = (_policy(prepared, believe, seen, rungs, 1 - half) for half in (0, 1))
    return first, second


def _policy(prepared: Prepared, believe: Believe, seen: Seen, rungs: Rungs, half: int) -> LadderPolicy:
    policy = LadderPolicy()
    inside = prepared.half[prepared.group[seen.cold.arrival]] == half
    played_by = partial(walk, prepared, believe, facts=rungs.facts, half=half)
    if rungs.model:
        chosen = _loosest(prepared, seen.cold, inside)
        policy = _tightened(prepared, played_by, lambda model: LadderPolicy(model=model), chosen)
    if rungs.memory:
        chosen, cold = _loosest(prepared, seen.memory, inside & seen.some), policy.model
        policy = _tightened(prepared, played_by, partial(LadderPolicy, model=cold), chosen)
    return policy


def _tightened(
    prepared: Prepared,
    played_by: Callable[[LadderPolicy], Played],
    ladder: Callable[[Policy], LadderPolicy],
    policy: Policy,
) -> LadderPolicy:
    """Tighten the thresholds of a rung's ``policy`` until a simulation keeps the study's bounds on errors.

    ``ladder`` makes a ladder policy from the rung's policy, and ``played_by`` simulates it. An accept
    threshold that is too loose after eight steps becomes None; after sixteen steps the rung decides nothing.
    """
    question = prepared.question
    for step in range(2 * _STEPS):
        played = played_by(ladder(policy))
        shown, near = outcome(prepared, played), near_misses(prepared, played)
        accepts = policy.accept is None or (
            max(shown["false_of_accepted"], near["false_of_accepted"]) <= question.alpha
            # Fewer than 1 / alpha accepted patches cannot show a share of alpha.
            and (played.decision == 1).sum() * question.alpha >= 1
        )
        refuses = policy.reject is None or shown["false_refusals"] <= question.beta
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
    """Return the policy that decides the most arrivals within the error bounds of ``prepared.question``.

    The reject threshold is chosen first. ``full`` is a simulation in which every patch is wargamed; the mask
    ``inside`` (n,) selects the arrivals of ``full`` that count.
    """
    question, probability = prepared.question, full.probability[inside]
    label = prepared.label[full.arrival[inside]]
    order = np.argsort(probability, kind="stable")
    belief, right = probability[order], label[order]
    reject, accept = None, None
    refused = _most(belief, right, question.beta)
    if refused:
        reject = float(belief[refused - 1])
    accepted = _most(belief[refused:][::-1], 1 - right[refused:][::-1], question.alpha)
    if accepted:
        accept = float(belief[-accepted])
    return Policy(accept, reject, "loosest on the patches at hand")


def _most(belief: _Floats, error: _Ints, share: float) -> int:
    """Return the largest k such that at most the share ``share`` of the first k arrivals are errors, else 0.

    ``belief`` (n,) is sorted, ``error`` (n,) is 1 for an error, else 0. No threshold separates arrivals of
    equal belief, so the first k hold all or none of them.
    """
    last = np.append(belief[1:] != belief[:-1], True)
    fitting = np.flatnonzero(last & (np.cumsum(error) <= share * np.arange(1, len(error) + 1)))
    return int(fitting.max()) + 1 if len(fitting) else 0
