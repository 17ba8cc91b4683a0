"""The runner: deterministic, resumable, several arms on the same patches."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace

import pytest

from crisol.abtest import Arm, Experiment, HashSampler, MemoryStore, Truth, disagreement, label_of, run
from crisol.abtest.confusion import metrics
from crisol.abtest.srm import sample_ratio
from crisol.abtest.tally import Slice
from crisol.errors import DatasetError, ExperimentError, InputError, SandboxError
from crisol.model.policy import Policy
from crisol.records import LabelledPatch, Outcome, Prediction, Reason
from support.arms import CHALLENGER, CHAMPION, PATCHES, guesser, labelled

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER = START + dt.timedelta(days=300)


def experiment(rate: float = 0.3, **changes: object) -> Experiment:
    base = Experiment("e", (CHAMPION, CHALLENGER), HashSampler(rate, "s"), policy=Policy(0.6, 0.4))
    return replace(base, **changes)  # type: ignore[arg-type] - the tests change one field each


def new_store() -> MemoryStore:
    return MemoryStore(clock=lambda: LATER)


def test_two_runs_agree_trial_by_trial() -> None:
    one, other = new_store(), new_store()
    list(run(experiment(), PATCHES, one, start=START, chunk=7))
    list(run(experiment(), PATCHES, other, start=START, chunk=100))
    assert list(one.read()) == list(other.read())


def test_arms_judge_the_same_patches_and_one_wargame_serves_all() -> None:
    asked: Counter[str] = Counter()

    def judge(patch: LabelledPatch) -> Truth:
        asked[patch.id] += 1
        return label_of(patch)

    store = new_store()
    trials = list(run(experiment(), PATCHES, store, start=START, judge=judge))
    champion = {trial.patch for trial in trials if trial.arm == "champion"}
    challenger = {trial.patch for trial in trials if trial.arm == "challenger"}
    assert challenger < champion
    assert set(asked) == champion
    assert set(asked.values()) == {1}
    counted = {arm: tally.n for (arm,), tally in store.tallies(by=(Slice.ARM,)).items()}
    assert not sample_ratio(counted, {"champion": 1.0, "challenger": 0.5}).mismatch


def test_each_trial_knows_the_probability_with_which_it_was_sampled() -> None:
    for trial in run(experiment(), PATCHES, new_store(), start=START):
        unsure = int(trial.patch[1:]) % 5 == 0
        share = 1.0 if trial.arm == "champion" else 0.5
        assert trial.sampling_probability == pytest.approx(share if unsure else 0.3 * share)


def test_weighting_finds_the_accuracy_that_counting_misses() -> None:
    """The unsure fifth is wrong half the time and the rest never.

    Sampled at 0.1 the naive figure is far off.
    """

    def predict(patch: LabelledPatch) -> Prediction:
        i = int(patch.id[1:])
        valid = bool(patch.label) ^ (i % 10 == 0)
        confidence = 0.55 if i % 5 == 0 else 0.95
        return Prediction(confidence if valid else 1 - confidence, "m1", "f1")

    patches = [labelled(i) for i in range(4000)]
    only = replace(experiment(0.1), arms=(Arm("champion", predict, "m1"),))
    store = new_store()
    trials = list(run(only, patches, store, start=START))
    naive = sum(bool(trial.correct) for trial in trials) / len(trials)
    accuracy = metrics(store.tallies()[()]).accuracy
    assert naive < 0.72
    assert accuracy.low < 0.90 < accuracy.high
    assert accuracy.value == pytest.approx(0.90, abs=0.02)


@pytest.mark.parametrize("chunk", [1, 13])
def test_killed_anywhere_and_restarted_it_ends_up_the_same(chunk: int) -> None:
    """The sandbox fails after every 40th wargame.

    Restarted until it ends, nothing is judged twice or lost.
    """
    whole = new_store()
    list(run(experiment(), PATCHES, whole, start=START))
    store, judged = new_store(), Counter[str]()

    def judge(patch: LabelledPatch) -> Truth:
        if sum(judged.values()) % 40 == 39:
            judged["failure"] += 1
            raise SandboxError("killed")
        judged[patch.id] += 1
        return label_of(patch)

    for _ in range(100):
        try:
            list(run(experiment(), PATCHES, store, start=START, judge=judge, chunk=chunk))
        except SandboxError:
            continue
        break
    assert list(store.read()) == list(whole.read())
    assert list(run(experiment(), PATCHES, store, start=START)) == []
    if chunk == 1:
        assert {n for patch, n in judged.items() if patch != "failure"} == {1}


def test_a_model_of_another_version_is_refused_and_nothing_of_its_chunk_is_kept() -> None:
    store = new_store()
    swapped = Arm("champion", lambda p: guesser("m1" if int(p.id[1:]) < 50 else "m9", 10)(p), "m1")
    with pytest.raises(ExperimentError, match="'m9', but arm 'champion' is model 'm1'"):
        list(run(experiment(1.0, arms=(swapped,)), PATCHES, store, start=START, chunk=40))
    assert len(list(store.read())) == 40


def test_unknown_arms_and_foreign_trials_are_refused() -> None:
    trial = next(run(experiment(1.0), PATCHES, new_store(), start=START))
    with pytest.raises(ExperimentError, match="unknown arm 'x'; there are: champion, challenger"):
        experiment().admit([replace(trial, arm="x")])
    with pytest.raises(ExperimentError, match="'other' is not 'e'"):
        experiment().admit([replace(trial, experiment="other")])


def test_a_model_that_answers_nan_stops_the_run_by_name() -> None:
    broken = Arm("champion", lambda _: Prediction(float("nan"), "m1", "f1"), "m1")
    store = new_store()
    with pytest.raises(InputError, match="probability is nan"):
        list(run(experiment(1.0, arms=(broken,)), PATCHES, store, start=START))
    assert not list(store.read())


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": ()},
        {"arms": (CHAMPION, CHAMPION)},
        {"arms": (replace(CHAMPION, share=0.0),)},
        {"arms": (replace(CHAMPION, share=1.5),)},
    ],
)
def test_an_experiment_that_cannot_be_run_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ExperimentError):
        experiment(**changes)


def test_labels_that_are_none_are_refused() -> None:
    for bad in (
        replace(PATCHES[1], label=2),
        replace(PATCHES[1], reason="because"),
        replace(PATCHES[0], reason="timeout"),
    ):
        with pytest.raises(DatasetError, match=bad.id):
            label_of(bad)
    assert label_of(replace(PATCHES[1], reason="")) == Truth(Outcome.INVALID)
    assert label_of(replace(PATCHES[1], reason="sandbox_failed")).outcome is Outcome.INCONCLUSIVE


def test_a_patch_that_comes_twice_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"'p0'.*comes twice"):
        list(run(experiment(), [PATCHES[0], PATCHES[0]], new_store(), start=START))


def test_a_disagreement_is_said_in_words() -> None:
    trials = run(experiment(1.0), PATCHES, new_store(), start=START)
    said = {disagreement(trial) for trial in trials if trial.arm == "champion"}
    assert (
        "model 0.90 valid, wargame: variant_survives" in said
        or "model 0.55 valid, wargame: variant_survives" in said
    )
    assert "" in said
    assert Reason.VARIANT_SURVIVES in "".join(said)
