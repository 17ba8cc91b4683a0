from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from crisol.model.evaluation import evaluate, transfer
from crisol.model.search import Taught, tuned
from crisol.model.training import train
from crisol.model.variants import Variant
from crisol.records import LabelledPatch
from support.model_data import patches

WEAK = {"n_estimators": 1, "max_depth": 1, "min_samples_leaf": 1000}
STRONG = {"n_estimators": 30, "max_depth": 6, "min_samples_leaf": 1}
SEARCHED = Variant(
    name="searched", description="A forest.", model="forest", parameters=WEAK, grid=({"max_depth": 2}, STRONG)
)
EVENTS: list[tuple[str, frozenset[str]]] = []


class Numbers:
    """Rows that say to which bug a patch belongs."""

    def transform(self, made: Sequence[LabelledPatch]) -> np.ndarray:
        return np.array([[float(patch.group.removeprefix("bug-"))] for patch in made])


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A classifier that keeps a record of the bugs that it was given."""

    def fit(self, rows: np.ndarray, _label: np.ndarray) -> Self:
        EVENTS.append(("fit", frozenset(map(str, rows[:, 0]))))
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        EVENTS.append(("predict", frozenset(map(str, rows[:, 0]))))
        return np.full((len(rows), 2), 0.5)


class Recorded(Variant):
    """A variant with a grid of four points, whose models are recorders."""

    def estimator(self, random_state: int) -> Pipeline:
        return Pipeline([("patches", Numbers()), ("model", self.classifier(None, random_state))])  # type: ignore[arg-type]  # reads no schema

    def classifier(self, matrix: Any, random_state: int) -> Any:  # noqa: ARG002 - the variant's contract
        return Recorder()


@pytest.mark.parametrize("outer", ["group", "project"])
def test_no_search_sees_a_group_of_the_fold_that_is_tested(outer: Any) -> None:
    """No fit or prediction of a search holds a bug of the outer test fold, or a bug on both sides."""
    EVENTS.clear()
    grid = ({"C": 0.1}, {"C": 0.2}, {"C": 0.3})
    made = patches(20, 5)
    evaluate(
        Recorded(name="r", description="d", model="linear", grid=grid), made, seed=0, folds=4, outer=outer
    )
    everything = frozenset(map(str, Numbers().transform(made)[:, 0]))
    searched: list[frozenset[str]] = []
    tested = 0
    for (_, taught), (_, asked) in zip(EVENTS[::2], EVENTS[1::2], strict=True):
        if tested == 4:
            break  # What follows is the random split, which is shown as a warning.
        assert not taught & asked
        if taught | asked != everything:
            searched += [taught, asked]
            continue
        assert len(searched) == 2 * (4 + 2)
        assert all(not asked & group for group in searched)
        searched, tested = [], tested + 1
    assert tested == 4


def test_the_point_that_learns_is_chosen_and_lifts_the_figure() -> None:
    made = patches(30, 8)
    plain, searched = (evaluate(SEARCHED, made, seed=0, folds=4, search=on) for on in (False, True))
    assert plain.choices == ()
    assert {choice.parameters for choice in searched.choices} == {
        "n_estimators=30, max_depth=6, min_samples_leaf=1"
    }
    assert [choice.fold for choice in searched.choices] == [0, 1, 2, 3]
    assert searched.brier < plain.brier


def test_the_entry_is_kept_where_no_point_is_better() -> None:
    same = SEARCHED.model_copy(update={"grid": (WEAK, WEAK)})
    assert {choice.parameters for choice in evaluate(same, patches(12, 6), seed=0, folds=3).choices} == {""}


def test_each_member_of_a_mean_is_searched_and_named() -> None:
    second = SEARCHED.model_copy(update={"name": "second", "grid": ()})
    mean = Variant(name="mean", description="Both.", model="mean", members=(SEARCHED, second))
    made = patches(12, 6)
    alone = evaluate(SEARCHED, made, seed=0, folds=3)
    evaluation = evaluate(mean, made, seed=0, folds=3)
    assert {choice.variant for choice in evaluation.choices} == {"mean/searched"}
    assert [choice.auc for choice in evaluation.choices] == [choice.auc for choice in alone.choices]


def test_the_same_seed_searches_the_same() -> None:
    first, again = (evaluate(SEARCHED, patches(14, 6), seed=3, folds=3) for _ in range(2))
    assert first.choices == again.choices
    assert np.array_equal(first.probability, again.probability)


def test_training_and_transfer_search_in_what_they_learn_from() -> None:
    learn, meet = patches(20, 8, seed=1), patches(8, 6, seed=2)
    (choice,) = transfer(SEARCHED, learn, meet, seed=0).choices
    assert (choice.fold, choice.parameters) == (-1, "n_estimators=30, max_depth=6, min_samples_leaf=1")
    versions = {train(SEARCHED, learn, 0, search=on).model_version for on in (True, False)}
    assert len(versions) == 2


def test_a_set_of_one_bug_cannot_search_and_keeps_the_entry() -> None:
    matrix = SEARCHED.estimator(0)[0]
    single_group = patches(1, 20)
    label = np.array([patch.label for patch in single_group])
    taught = Taught(matrix.transform(single_group), label, np.array([patch.group for patch in single_group]))
    assert tuned(SEARCHED, taught, matrix, seed=0) == (SEARCHED, ())
