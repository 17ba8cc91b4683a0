"""Any scikit-learn estimator is evaluated, trained, kept and served like a variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import crisol
from crisol.diff import parse
from crisol.errors import ExperimentError, ModelError
from crisol.model.matrix import PatchMatrix
from crisol.model.predictor import Predictor
from crisol.model.reading import Reading
from crisol.model.serving import PROBE, export
from crisol.model.training import load_fitted
from crisol.model.variants import Given, load_variants
from support.model_data import patches

PATCHES = patches(12, 6)


class Coin(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Says the share of right patches, whatever it sees."""

    def fit(self, rows: object, labels: np.ndarray) -> Coin:  # noqa: ARG002 - the contract
        self.classes_ = np.array([0, 1])
        self.share_ = float(np.mean(labels))
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.share_, self.share_], (len(rows), 1))


def test_features_are_a_table_with_names_labels_and_groups() -> None:
    features, labels, groups = crisol.features(PATCHES)
    assert features.shape == (len(PATCHES), len(PatchMatrix().features))
    assert list(features.columns) == [feature.name for feature in PatchMatrix().features]
    assert labels.tolist() == [patch.label for patch in PATCHES]
    assert len(set(groups)) == 12


@pytest.mark.parametrize(
    "model",
    [
        GaussianNB(),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        make_pipeline(make_column_transformer((StandardScaler(), ["lines_added"])), KNeighborsClassifier(3)),
        make_pipeline(PatchMatrix(words=256), LogisticRegression(max_iter=2000)),
        Coin(),
    ],
    ids=["estimator", "pipeline", "columns_by_name", "patches", "own_class"],
)
def test_an_estimator_stands_beside_the_variants(model: object) -> None:
    """The same folds, the same measures; the same seed gives the same digits."""
    first, second = (crisol.evaluate(PATCHES, model, seed=1, folds=3) for _ in range(2))
    assert first.n == len(PATCHES)
    assert (first.probability == second.probability).all()
    assert 0.0 <= first.auc <= 1.0


def test_a_trained_estimator_is_kept_read_back_and_served(tmp_path: Path) -> None:
    fitted = crisol.train(PATCHES, make_pipeline(StandardScaler(), GaussianNB()), seed=3)
    fitted.save(tmp_path / "model.skops")
    export(fitted, tmp_path)
    expected = fitted.probabilities([PROBE])[0]
    for path in (tmp_path, tmp_path / "model.skops"):
        predictor = Predictor.load(path)
        predictor.check()
        assert predictor.predict(parse(PROBE.diff), PROBE.cwe).probability == pytest.approx(expected)
    assert crisol.load_model(tmp_path).form == "scikit-learn"


def test_a_class_of_ones_own_asks_for_a_word_of_trust(tmp_path: Path) -> None:
    """Reading it imports its module, so that nobody else's file may name one."""
    path = tmp_path / "model.skops"
    crisol.train(PATCHES, Coin(), seed=0).save(path)
    with pytest.raises(ModelError, match=r"Coin; reading them runs their code"):
        load_fitted(path)
    name = f"{Coin.__module__}.Coin"
    assert load_fitted(path, trust=[name]).name == "coin"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LinearSVC(), "has no predict_proba; wrap it"),
        (GaussianNB, "hand in an object"),
        (42, "is no scikit-learn estimator"),
        ("oracle", "no variant is called 'oracle'"),
    ],
)
def test_what_is_no_classifier_is_refused_by_name(model: object, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        crisol.evaluate(PATCHES, model)


ENTRY = "version: 1\nvariants:\n  own:\n    description: Own.\n    model: {}\n"


def test_a_file_of_variants_names_a_class_and_its_parameters(tmp_path: Path) -> None:
    file = tmp_path / "variants.yaml"
    file.write_text(ENTRY.format("sklearn.neighbors:KNeighborsClassifier\n    parameters: {n_neighbors: 3}"))
    variant = load_variants(file)["own"]
    assert variant.estimator(0)[-1].n_neighbors == 3
    assert crisol.evaluate(PATCHES, variant, folds=3).name == "own"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("antigravity:Flight", "importing it runs its code"),
        ("sklearn.neighbors:Oracle", "cannot be imported"),
        ("sklearn.svm:LinearSVC", "has not get_params, fit and predict_proba"),
        ("sklearn.naive_bayes:GaussianNB\n    parameters: {wings: 2}", "has no parameter wings"),
        ("linear\n    parameters: {max_iter: 5}", "has no parameter max_iter"),
        ("lightgbm\n    parameters: {deterministic: false}", "has no parameter deterministic"),
        ("sklearn.naive_bayes:GaussianNB\n    words: 64", "and no words"),
        ("os.system", "no model is called"),
    ],
)
def test_a_class_that_cannot_be_used_is_named(tmp_path: Path, model: str, message: str) -> None:
    file = tmp_path / "variants.yaml"
    file.write_text(ENTRY.format(model))
    with pytest.raises(ExperimentError, match=message):
        load_variants(file)


def test_a_given_estimator_is_never_changed() -> None:
    model = LogisticRegression(max_iter=2000)
    crisol.train(PATCHES, model, seed=7)
    assert model.random_state is None
    assert not hasattr(model, "coef_")
    assert Given(model).name == "logisticregression"


def calls(reading: Reading) -> float:
    """Calls in the added lines."""
    return len(reading.added.calls)


@pytest.mark.parametrize("model", ["lightgbm", GaussianNB()], ids=["variant", "estimator"])
def test_a_feature_of_ones_own_is_a_column_of_every_model(model: object) -> None:
    """Its name is the function's; the model is trained with it and predicts with it."""
    features, _, _ = crisol.features(PATCHES, own=[calls])
    assert features.columns[-1] == "calls"
    assert (features["calls"] == features["calls_added"]).all()
    seen = len(features.columns)
    fitted = crisol.train(PATCHES, model, own=[calls], seed=1)
    assert fitted.pipeline[1].n_features_in_ == seen
    predicted = crisol.predict(fitted, PATCHES[0].diff, cwe=PATCHES[0].cwe).probability
    assert predicted == pytest.approx(fitted.probabilities(PATCHES[:1])[0])
    assert fitted.model_version == crisol.train(PATCHES, model, own=[calls], seed=1).model_version


def test_a_model_with_a_feature_of_ones_own_is_not_exported(tmp_path: Path) -> None:
    """Another process could not compute it."""
    fitted = crisol.train(PATCHES, GaussianNB(), own=[calls])
    with pytest.raises(ModelError, match="reads calls, which only this process can compute"):
        export(fitted, tmp_path)
