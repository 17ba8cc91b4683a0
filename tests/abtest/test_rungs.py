"""The alarm of each rung: it fires where a rung breaks its promise, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crisol.abtest.rungs import watch_rungs
from crisol.diff import parse
from crisol.evidence.memory import Judged, Memory
from crisol.evidence.second_stage import SecondStage, train
from crisol.evidence.similarity import sketch
from crisol.evidence.stream import Arrival, recalled, streams
from crisol.model.policy import Policy
from crisol.records import Outcome
from support.trials import NOW, make_trial

if TYPE_CHECKING:
    from crisol.records import Trial

POLICY = Policy(accept=0.8, reject=0.2)


def told(number: int, rung: str, decided: Outcome, outcome: Outcome) -> Trial:
    return make_trial(
        number,
        rung=rung,
        decided=decided,
        outcome=outcome,
        reason=None,
        sampling_probability=0.1,
        created_at=NOW,
    )


def raised(trials: list[Trial]) -> set[tuple[str, str]]:
    return {(watch.arm, watch.name) for watch in watch_rungs(trials) if watch.raised_at is not None}


def test_the_first_error_of_a_fact_is_an_alarm_and_that_of_a_guess_is_none() -> None:
    wrong = (Outcome.VALID, Outcome.INVALID)
    assert raised([told(1, "equivalent", *wrong)]) == {("equivalent", "false accepts")}
    assert raised([told(1, "untouched", *wrong[::-1])]) == {("untouched", "false refusals")}
    assert raised([told(1, "memory", *wrong)]) == set()
    assert raised([told(1, "memory", *wrong), told(2, "wargame", *wrong), told(3, "", *wrong)]) == set()


def test_a_rung_within_its_promise_raises_nothing() -> None:
    """One in a hundred among the accepted, one in twenty among the refused."""
    trials = [
        told(n, "memory", Outcome.VALID, Outcome.INVALID if n % 100 == 50 else Outcome.VALID)
        for n in range(800)
    ]
    trials += [
        told(n, "model", Outcome.INVALID, Outcome.VALID if n % 20 == 10 else Outcome.INVALID)
        for n in range(800)
    ]
    assert raised(trials) == set()


def judged(group: int, number: int) -> Judged:
    """A candidate whose label is its call: ``safe`` closes the flaw."""
    call = "safe" if number % 2 == 0 else "risky"
    text = f"--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n read(name)\n+{call}_{group}({number})\n"
    return Judged(f"{group}-{number}", sketch(parse(text)), number % 2 == 0, 0.5)


def second_stage() -> SecondStage:
    """Learn from other vulnerabilities what a memory is worth."""
    group = np.repeat(np.arange(40), 8)
    made = [Arrival(judged(int(of), number % 8)) for number, of in enumerate(group)]
    taught = recalled(made, streams(made, group, repeats=3, seed=0), seed=1)
    label = np.array([made[at].patch.valid for at in taught.arrival], dtype=np.int_)
    return train(taught.rows, label, group[taught.arrival].astype(str), seed=0)


def test_a_memory_that_is_poisoned_halfway_raises_the_alarm_of_its_rung_and_of_no_other() -> None:
    """From the hundredth patch on the memory holds the opposite of every verdict."""
    stage, memory, trials, half = second_stage(), Memory(), [], 0
    for number in range(200):
        if number == 100:
            half = len(trials)
            for known in list(memory.judged):
                memory.add(Judged(known.identity, known.sketch, not known.valid, known.probability))
        patch = judged(99, number)
        decided = POLICY.decide(stage.probability(memory.recall(patch.sketch, 0.5).row))
        truth = Outcome.VALID if patch.valid else Outcome.INVALID
        if decided is not None and len(memory) > 4:
            trials.append(told(number, "memory", decided, truth))
        valid = patch.valid if number < 100 else not patch.valid
        memory.add(Judged(patch.identity, patch.sketch, valid, 0.5))
    assert len(trials) > 100
    assert raised(trials[:half]) == set()
    assert raised(trials) == {("memory", "false accepts"), ("memory", "false refusals")}
    (alarm,) = (watch for watch in watch_rungs(trials) if watch.name == "false accepts")
    late = [trial.patch for trial in trials[half:]]
    assert alarm.raised_on in late[:20]
