"""Models are judged on groups that they never saw, deterministically, and loaded without trust."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate

from crisol import diff
from crisol.errors import DatasetError, ExperimentError, ModelError
from crisol.model.dataset import read_jsonl
from crisol.model.evaluation import evaluate, folds_by_group
from crisol.model.features import CLASSIC, FEATURES, vector
from crisol.model.risk import choose_threshold
from crisol.model.training import load, train
from crisol.model.variants import Variant, load_variants
from crisol.records import LabelledPatch

ROOT = Path(__file__).parent.parent
SMALL = Variant("small", "boosting", {"max_iter": 10, "min_samples_leaf": 5})
WORDS = [
    "if",
    "raise",
    "return",
    "path",
    "join",
    "name",
    "value",
    "check",
    "open",
    "read",
    "root",
    "user",
    "len",
    "max",
    "not",
    "in",
    "allowed",
]


def patches(n: int = 160, groups: int = 16, *, shuffled: bool = False) -> list[LabelledPatch]:
    """Patches in which a guard that refuses makes a right one, whatever the group."""
    rng = random.Random(5)
    made = []
    for number in range(n):
        label = rng.randrange(2)
        lines = [" ".join(rng.choices(WORDS, k=5)) for _ in range(rng.randint(1, 6))]
        guard = ["    if check(value):", "        raise ValueError"] * label
        text = diff.between({"a.py": "x = 1\n"}, {"a.py": "\n".join(["x = 1", *lines, *guard, ""])})
        shown = rng.randrange(2) if shuffled else label
        made.append(
            LabelledPatch(str(number), f"g{number % groups}", f"p{number % 4}", shown, text, "CWE-22")
        )
    return made


def test_every_feature_has_a_value_and_a_meaning() -> None:
    """The vector follows the list, the baseline's nine are among them."""
    assert len(vector(patches(1)[0].diff, "CWE-22")) == len(FEATURES)
    assert len(CLASSIC) == 9
    assert set(CLASSIC) <= {feature.name for feature in FEATURES}
    assert all(feature.unit and feature.meaning for feature in FEATURES)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_any_text_has_finite_features(text: str) -> None:
    """Hostile diffs neither crash nor give a number that a model cannot take."""
    assert np.isfinite(vector(text, text[:9])).all()


def test_large_lines_are_cheap() -> None:
    """A line of a mebibyte costs what its beginning costs."""
    text = "--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+" + "if (" * 250_000
    assert np.isfinite(vector(text)).all()


def test_no_group_is_on_both_sides() -> None:
    """Folds split whole groups and use every patch once for testing."""
    groups = np.array([patch.group for patch in patches()])
    tested = []
    for train_rows, test_rows in folds_by_group(groups, 5, 0):
        assert not set(groups[train_rows]) & set(groups[test_rows])
        tested += list(test_rows)
    assert sorted(tested) == list(range(len(groups)))


def test_learns_what_is_there_and_nothing_else() -> None:
    """A real signal is found; labels at random give an AUC whose interval holds one half."""
    assert evaluate(SMALL, patches(), seed=1, folds=5, bootstrap=100).auc > 0.9
    low, high = evaluate(SMALL, patches(shuffled=True), seed=1, folds=5, bootstrap=100).auc_interval
    assert low < 0.5 < high


def test_the_seed_gives_the_same_digits() -> None:
    """Two evaluations agree to the last bit."""
    one, two = (evaluate(SMALL, patches(60), seed=3, folds=3, bootstrap=20) for _ in range(2))
    assert one.summary() == two.summary()
    assert one.probability.tolist() == two.probability.tolist()


def test_a_known_group_is_exposed_as_leak() -> None:
    """Where the group decides the label, the same-group mean says so."""
    same = [LabelledPatch(str(n), f"g{n % 8}", "p", n % 8 % 2, patches(1)[0].diff) for n in range(64)]
    assert evaluate(SMALL, same, seed=0, folds=4, bootstrap=10).same_group_mean_auc == 1.0


@pytest.mark.parametrize("few", [patches(10, groups=1), [p for p in patches(40) if p.label == 1]])
def test_too_little_data_is_refused(few: list[LabelledPatch]) -> None:
    """One group or one class cannot be evaluated or trained on."""
    with pytest.raises(DatasetError, match="both classes"):
        evaluate(SMALL, few, seed=0)
    with pytest.raises(DatasetError, match="both classes"):
        train(SMALL, few, seed=0)


@pytest.mark.parametrize("name", ["classic_forest", "rich_forest", "boosting", "text_linear"])
def test_variants_keep_the_estimator_contract(name: str) -> None:
    """Each works in cross_validate with groups of its own."""
    variant = load_variants(ROOT / "experiments" / "variants.yaml")[name]
    data = patches(60)
    scores = cross_validate(variant.estimator(0), data, [p.label for p in data], cv=2, scoring="roc_auc")
    assert scores["test_score"].mean() > 0.5


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "mapping"),
        ("a: {kind: magic}", "magic"),
        ("a: {kind: forest, trees: 3}", "trees"),
        ("a: [", "variants"),
    ],
)
def test_a_wrong_variant_is_named(tmp_path: Path, text: str, word: str) -> None:
    """The error names the file's entry."""
    (tmp_path / "variants.yaml").write_text(text)
    with pytest.raises(ExperimentError, match=word):
        load_variants(tmp_path / "variants.yaml")


def test_a_saved_model_says_the_same(tmp_path: Path) -> None:
    """Version, probability and calibration survive; the same inputs give the same version."""
    data = patches(80)
    model = train(SMALL, data, seed=2)
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    one, two = model.predict(data[0].diff, "CWE-22"), loaded.predict(data[0].diff, "CWE-22")
    assert (one.probability, one.model_version) == (two.probability, two.model_version)
    assert train(SMALL, data, seed=2).card == model.card
    assert train(SMALL, data, seed=3).card.version != model.card.version


def test_foreign_and_damaged_models_are_refused(tmp_path: Path) -> None:
    """Nothing but types of ours is built, a damaged file is an error of ours, other features are refused."""
    data = patches(80)
    train(SMALL, data, seed=2).save(tmp_path / "m")
    card = json.loads((tmp_path / "m" / "card.json").read_text())
    (tmp_path / "m" / "card.json").write_text(json.dumps(card | {"feature_version": "0"}))
    with pytest.raises(ModelError, match="features 0"):
        load(tmp_path / "m")
    (tmp_path / "m" / "model.skops").write_bytes(b"PK broken")
    with pytest.raises(ModelError, match="train it anew"):
        load(tmp_path / "m")
    skops.io.dump(tmp_path, tmp_path / "m" / "model.skops")
    with pytest.raises(ModelError, match="never does"):
        load(tmp_path / "m")
    with pytest.raises(ModelError):
        load(tmp_path / "nowhere")


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    """JSONL errors carry the number of the line."""
    good = {"id": 1, "project": "p", "bug_id": "b", "label": 1, "diff": "d", "language": "java", "tool": "t"}
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(good) + "\n")
    assert read_jsonl(path)[0].group == "b"
    for bad in ("{", json.dumps(good | {"label": 2}), json.dumps({"id": 1}), "[]"):
        path.write_text(json.dumps(good) + "\n" + bad + "\n")
        with pytest.raises(DatasetError, match="line 2"):
            read_jsonl(path)


def test_thresholds_keep_their_bound() -> None:
    """On the data they were chosen on, at most the bound of either class is decided wrongly, and ties count."""
    rng = np.random.default_rng(0)
    for bound in (0.0, 0.02, 0.1):
        for _ in range(50):
            truth = rng.integers(0, 2, 200)
            score = np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 1)
            chosen = choose_threshold(truth, score, bound)
            assert (score[truth == 0] >= chosen.accept).mean() <= bound
            assert (score[truth == 1] <= chosen.reject).mean() <= bound
