from __future__ import annotations

import dataclasses
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline

from crisol.diff import parse
from crisol.errors import DatasetError, ModelError
from crisol.model.features import FEATURE_VERSION
from crisol.model.predictor import Predictor
from crisol.model.soundness import sound, trees
from crisol.model.training import FittedModel, load_fitted, train
from crisol.model.variants import load_variants
from support.model_data import patches, small

VARIANTS = load_variants(Path(__file__).parents[2] / "experiments" / "variants.yaml")
_DATA = patches(10, 8)
_LINEAR = small(VARIANTS["text_linear"])


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    return train(_LINEAR, _DATA, 0)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_saved_model_answers_as_before(name: str, tmp_path: Path) -> None:
    model = train(small(VARIANTS[name]), _DATA, 1)
    path = tmp_path / "model"
    model.save(path)
    again = load_fitted(path)
    assert np.array_equal(again.probabilities(_DATA), model.probabilities(_DATA))
    assert again.model_version == model.model_version
    assert (again.calibration, again.groups, again.patches) == (model.calibration, 10, 80)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_one_patch_is_predicted_as_in_a_batch(fitted: FittedModel) -> None:
    predictor = Predictor(fitted)
    for patch, expected in zip(_DATA[:10], fitted.probabilities(_DATA[:10]), strict=True):
        prediction = predictor.predict(parse(patch.diff), patch.cwe)
        assert prediction.probability == pytest.approx(expected, abs=1e-12)
        assert prediction.model_version == fitted.model_version
        assert prediction.feature_version == FEATURE_VERSION
        assert prediction.seconds > 0


def test_the_version_names_data_variant_and_seed(fitted: FittedModel) -> None:
    variant = _LINEAR
    assert train(variant, _DATA[::-1], 0).model_version == fitted.model_version
    flipped = [dataclasses.replace(_DATA[0], label=1 - _DATA[0].label), *_DATA[1:]]
    other = variant.model_copy(update={"parameters": {"C": 0.06}})
    versions = {
        train(*recipe).model_version
        for recipe in ((variant, flipped, 0), (variant, _DATA, 1), (other, _DATA, 0))
    }
    assert len(versions - {fitted.model_version}) == 3


def test_training_needs_both_classes() -> None:
    with pytest.raises(DatasetError, match="both classes"):
        train(_LINEAR, [patch for patch in _DATA if patch.label], 0)


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the pickle was run",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a model",
        pickle.dumps(_Trap()),
        _zip(**{"schema.json": b"{}"}),
        _zip(**{"schema.json": b"["}),
        _zip(other=b"x"),
        skops.io.dumps({"a": 1}),
        skops.io.dumps([1]),
        skops.io.dumps({"about": {"format": "crisol-model-1", "feature_version": FEATURE_VERSION}}),
        skops.io.dumps({"about": {"format": "crisol-model-1", "feature_version": "0"}}),
        skops.io.dumps({"about": io.StringIO}),
    ],
)
def test_foreign_and_corrupt_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="model"):
        load_fitted(path)


def test_a_truncated_model_is_refused(fitted: FittedModel, tmp_path: Path) -> None:
    path = tmp_path / "model"
    fitted.save(path)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError):
            load_fitted(path)


def test_missing_files_and_folders_are_refused(fitted: FittedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_fitted(tmp_path / "none")
    with pytest.raises(ModelError, match="cannot be written"):
        fitted.save(tmp_path / "no" / "such" / "folder")


def test_a_model_that_does_not_answer_is_an_error_of_ours(fitted: FittedModel) -> None:
    broken = dataclasses.replace(fitted, pipeline=train(small(VARIANTS["classic_forest"]), _DATA, 0).pipeline)
    broken.pipeline[0].classic = False
    with pytest.raises(ModelError, match="does not answer"):
        Predictor(broken).predict(parse(_DATA[0].diff), "")


@pytest.mark.parametrize("name", ["classic_forest", "boosting", "stack"])
def test_trained_trees_are_sound_and_forged_ones_are_not(name: str) -> None:
    """A child outside the tree, a step backwards and a column that there is not are each noticed."""
    walks = list(trees(train(small(VARIANTS[name]), _DATA, 0).pipeline[1]))
    assert walks
    assert all(sound(walk) for walk in walks)
    left, right, leaf, column, columns = next(walk for walk in walks if not walk[2].all())
    for forged in (
        (np.where(leaf, left, len(left)), right, leaf, column, columns),
        (left, np.where(leaf, right, 0), leaf, column, columns),
        (left, right, leaf, np.where(leaf, column, columns), columns),
        (left, right, leaf, np.where(leaf, column, -5), columns),
    ):
        assert not sound(forged)


def test_a_test_of_a_category_is_not_sound() -> None:
    """Its set of categories is an index that nothing checks."""
    model = train(small(VARIANTS["boosting"]), _DATA, 0).pipeline[1]
    boosting = model[-1] if isinstance(model, Pipeline) else model
    nodes = boosting._predictors[0][0].nodes
    inner = np.flatnonzero(nodes["is_leaf"] == 0)[0]
    nodes["is_categorical"][inner], nodes["bitset_idx"][inner] = 1, 2**31
    assert not all(sound(walk) for walk in trees(model))
