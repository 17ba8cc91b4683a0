from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from crisol import diff
from crisol.errors import DatasetError
from crisol.model import scores
from crisol.model.calibration import Sigmoid, cross_fitted
from crisol.model.controls import controls, controls_across
from crisol.model.dataset import without_overlap
from crisol.model.evaluation import evaluate, report, transfer
from crisol.model.folds import grouped_folds
from crisol.model.naming import NAMING, naming
from crisol.model.reading import read
from crisol.model.variants import Variant, load_variants
from support.model_data import patch, patches, small

VARIANTS = load_variants(Path(__file__).parents[2] / "experiments" / "variants.yaml")
_FAST = Variant(name="fast", description="A small model.", model="linear", parameters={"C": 0.1})


@pytest.mark.parametrize("seed", range(20))
def test_no_group_stands_on_both_sides_of_a_fold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(rng.integers(2, 40), size=200).astype(str)
    label = rng.integers(2, size=200)
    fold = grouped_folds(label, group, 10, seed)
    assert all(len(set(fold[group == name])) == 1 for name in np.unique(group))


def test_one_fold_is_refused_for_its_own_reason() -> None:
    """More patches would not help, so the message asks for none."""
    with pytest.raises(DatasetError, match=r"^1 folds: cross-validation takes at least two"):
        grouped_folds(np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"]), 1, 0)


def test_what_can_be_learned_is_learned_on_unseen_groups() -> None:
    result = evaluate(VARIANTS["rich_forest"], patches(30, 8), seed=0, folds=5)
    assert result.auc > 0.75
    assert result.auc_interval[0] < result.auc < result.auc_interval[1]
    assert result.accuracy > result.majority_accuracy
    assert result.brier < 0.2
    assert len(result.probability) == result.n == 240


@pytest.mark.parametrize("name", ["lightgbm", "text_linear"])
def test_shuffled_labels_teach_nothing(name: str) -> None:
    """The mean over shuffles is near one half; a leak between folds or into the calibration would lift it."""
    made = patches(40, 8)
    aucs = []
    for seed in range(4):
        label = [patch.label for patch in made]
        random.Random(seed).shuffle(label)
        shuffled = [dataclasses.replace(patch, label=truth) for patch, truth in zip(made, label, strict=True)]
        aucs.append(evaluate(VARIANTS[name], shuffled, seed=seed, folds=5, bootstrap=2).auc)
    assert 0.42 < np.mean(aucs) < 0.56


def test_the_leak_of_a_random_split_is_shown() -> None:
    """Where the label is the group's, grouped folds find nothing and a random split finds everything."""
    made = [dataclasses.replace(patch, label=int(int(patch.group[4:]) % 2)) for patch in patches(40, 8)]
    made = [
        dataclasses.replace(patch, diff=patch.diff.replace("total", f"name_{patch.group[4:]}"))
        for patch in made
    ]
    words = Variant(
        name="words", description="Words alone.", model="linear", words=512, parameters={"C": 10.0}
    )
    result = evaluate(words, made, seed=0, folds=5)
    assert result.same_group_mean_auc == 1.0
    assert result.random_split_auc > result.auc + 0.1
    assert np.isnan(result.auc_inside_groups)
    assert "auc_inside_groups" not in result.summary()


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_seed_gives_the_same_digits(name: str) -> None:
    made = patches(12, 6)
    first, again = (evaluate(small(VARIANTS[name]), made, seed=5, folds=3, bootstrap=20) for _ in range(2))
    assert first.summary() == again.summary()
    assert np.array_equal(first.probability, again.probability)


def test_projects_can_be_held_out() -> None:
    result = evaluate(_FAST, patches(20, 6), seed=0, outer="project")
    assert result.groups == 5


@pytest.mark.parametrize(
    "made", [[], patches(1, 8), [p for p in patches(9, 4) if p.label]], ids=["none", "one", "class"]
)
def test_data_that_cannot_be_evaluated_are_refused(made: list[scores.Confusion]) -> None:
    with pytest.raises(DatasetError):
        evaluate(_FAST, made, seed=0)  # type: ignore[arg-type]  # parametrised over patches


def test_the_measures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        label = np.append(rng.integers(2, size=60), [0, 1])
        score = rng.integers(7, size=62) / 7
        assert scores.auc(label, score) == pytest.approx(roc_auc_score(label, score))
        assert scores.average_precision(label, score) == pytest.approx(average_precision_score(label, score))
        assert scores.confusion(label, score).mcc == pytest.approx(matthews_corrcoef(label, score >= 0.5))


def test_pairs_of_different_groups_do_not_count_inside() -> None:
    label, group = np.array([1, 0, 1, 0]), np.array(["a", "a", "b", "b"])
    assert scores.auc_inside_groups(label, np.array([0.2, 0.1, 0.9, 0.8]), group) == 1.0
    assert scores.auc(label, np.array([0.2, 0.1, 0.9, 0.8])) == 0.75


def test_calibration_learns_the_map_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(0.01, 0.99, 20_000)
    truth = Sigmoid(0.5, -1.0)
    fitted = Sigmoid.fit(score, (rng.random(20_000) < truth(score)).astype(int))
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("score", [[0.0] * 6, [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
def test_calibration_is_finite_and_never_turns_the_ranking_round(score: list[float]) -> None:
    fitted = Sigmoid.fit(np.array(score, dtype=float), np.array([0, 0, 0, 1, 1, 1]))
    low, high = fitted(np.array([0.1, 0.9]))
    assert 0 < low <= high < 1
    assert fitted.slope > 0


def test_a_fold_has_no_say_in_its_own_calibration() -> None:
    rng = np.random.default_rng(0)
    score, label, fold = rng.random(60), rng.integers(2, size=60), np.arange(60) % 3
    before = cross_fitted(score, label, fold)
    after = cross_fitted(score, np.where(fold == 0, 1 - label, label), fold)
    assert np.array_equal(before[fold == 0], after[fold == 0])
    assert not np.array_equal(before[fold == 1], after[fold == 1])


def test_what_was_learned_transfers_and_nothing_of_the_test_teaches() -> None:
    learn, meet = patches(30, 8, seed=1), patches(12, 8, seed=2)
    kept = without_overlap(learn, meet)
    assert not {patch.group for patch in kept} & {patch.group for patch in meet}
    result = transfer(VARIANTS["lightgbm"], kept, meet, seed=0)
    assert result.auc > 0.7
    assert result.n == len(meet)
    assert np.isnan(result.random_split_auc)


def test_names_alone_give_their_author_away() -> None:
    """Right patches that differ from wrong ones in nothing but the form of a name are told apart by style."""
    names = {0: ("openPath", "pathToOpen", "firstPath"), 1: ("open_path", "path_to_open", "first_path")}
    rng = random.Random(0)
    made = []
    for number in range(240):
        label = rng.randint(0, 1)
        body = f"+{rng.choice(names[label])} = {rng.randint(0, 9)}\n"
        diff = f"--- a/f.py\n+++ b/f.py\n@@ -1 +1,2 @@\n import os\n{body}"
        made.append(dataclasses.replace(patch(number, number % 24, label, rng), diff=diff))
    assert controls(made, seed=0)[0].auc > 0.95


def test_naming_counts_what_the_patch_brings() -> None:
    """Lengths and forms of new names.

    What the context or the removed lines show, and keywords, are not new.
    """
    text = (
        "--- a/f.py\n+++ b/f.py\n@@ -1,2 +1,3 @@\n known = 1\n-gone = 2\n"
        "+if known: gone = new_name = fileName\n+_own, x, MOST = gone\n"
    )
    values = dict(zip(NAMING, naming(read(diff.parse(text), "CWE-22")), strict=True))
    assert values == {
        "names_new": math.log1p(5),
        "name_length": 25 / 5,
        "name_length_most": 8.0,
        "name_words": 7 / 5,
        "names_single_letter": 1 / 5,
        "names_snake_case": 1 / 5,
        "names_camel_case": 1 / 5,
        "names_capitals": 1 / 5,
        "names_private": 1 / 5,
    }
    nothing = read(diff.parse("--- a/f.py\n+++ b/f.py\n@@ -1 +0,0 @@\n-gone = 2\n"), "CWE-22")
    assert not any(naming(nothing))


def test_a_tool_that_is_always_right_shows_in_the_controls() -> None:
    made = [dataclasses.replace(patch, tool=f"tool-{patch.label}") for patch in patches(20, 6)]
    assert controls(made, seed=0)[1].auc == 1.0
    rng = random.Random(0)
    shuffled = [dataclasses.replace(patch, tool=f"tool-{rng.randint(0, 1)}") for patch in made]
    style, origin, majority = controls(shuffled, seed=0)
    assert origin.auc < 0.65
    for guess in (style, origin):
        assert guess.auc_interval[0] <= guess.auc <= guess.auc_interval[1]
    assert majority.auc == 0.5
    assert majority.accuracy == pytest.approx(majority.majority_accuracy)


def test_the_texts_of_mutants_are_a_style() -> None:
    """A comment that stands on every right patch is found by style, in folds and from one set to another."""
    made = [
        dataclasses.replace(patch, diff=f"--- a/f.py\n+++ b/f.py\n@@ -1 +1,2 @@\n import os\n+{line}\n")
        for patch in patches(20, 6)
        for line in (("# Check the input" if patch.label else "x = 1"),)
    ]
    assert controls(made, seed=0)[0].auc == 1.0
    first = [patch for patch in made if int(patch.group.split("-")[-1]) % 2]
    second = [patch for patch in made if not int(patch.group.split("-")[-1]) % 2]
    style, majority = controls_across(first, second, seed=0)
    assert style.auc == 1.0
    assert majority.auc == 0.5


def test_the_headline_is_of_what_agents_and_people_wrote() -> None:
    """Other origins have no say in it.

    A set without such origins has none and is ranked by all its patches.
    """
    made = [
        dataclasses.replace(patch, tool=("hand", "agent", "mutant")[number % 3])
        for number, patch in enumerate(patches(20, 9))
    ]
    said = np.array([1.0 - patch.label if patch.tool == "mutant" else float(patch.label) for patch in made])
    measured = report("said", made, said, bootstrap=20)
    assert measured.headline_auc == measured.rank == 1.0
    assert measured.headline_interval == (1.0, 1.0)
    assert measured.by_origin() == {"agent": 1.0, "hand": 1.0, "mutant": 0.0}
    assert measured.summary()["auc_mutant"] == 0.0
    tools = [dataclasses.replace(patch, tool="t") for patch in made]
    without = report("said", tools, said, bootstrap=20)
    assert without.by_origin() == {}
    assert without.rank == without.auc
    assert "headline_auc" not in without.summary()
