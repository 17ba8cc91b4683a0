from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crisol.diff import parse
from crisol.errors import IntegrityError, ModelError
from crisol.model.policy import Policy
from crisol.model.predictor import Predictor
from crisol.model.serving import PARITY, PROBE, difference, export
from crisol.model.training import FittedModel, train
from crisol.model.variants import load_variants
from crisol.records import LabelledPatch
from support.model_data import patches

ROOT = Path(__file__).parents[2]
VARIANTS = load_variants(ROOT / "experiments" / "variants.yaml")
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n+assert is_safe(path)\n open(path)\n"


def corpus() -> list[LabelledPatch]:
    """Return every diff of the vulnerabilities in this repository.

    Which of them is right does not matter here.
    """
    paths = sorted(ROOT.glob("data/vulnerabilities/*/*/patches/*.diff"))
    return [
        LabelledPatch(
            id=str(path),
            group=path.parts[-3],
            project=path.parts[-3],
            label=number % 2,
            diff=path.read_text(),
        )
        for number, path in enumerate(paths)
    ]


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return train(VARIANTS["lightgbm"], patches(20, 6), seed=0)


@pytest.mark.parametrize("name", ["classic_forest", "rich_forest", "extra_trees", "boosting", "lightgbm"])
def test_the_compiled_form_agrees_on_every_diff_of_the_corpus(name: str, tmp_path: Path) -> None:
    """Neither thresholds nor leaves nor the calibration drift: no probability differs by 1e-5."""
    labelled = corpus()
    assert len(labelled) > 250
    fitted = train(VARIANTS[name], labelled, seed=0)
    assert export(fitted, tmp_path).sha256
    assert difference(fitted, tmp_path, labelled) < PARITY
    assert difference(fitted, tmp_path, patches(30, 8)) < PARITY


def test_a_folder_answers_like_the_model_that_it_came_from(model: FittedModel, tmp_path: Path) -> None:
    export(model, tmp_path, Policy(accept=0.9, reason="made up"), card="# A model\n")
    served = Predictor.load(tmp_path)
    compiled, other = (predictor.predict(parse(DIFF), "CWE-22") for predictor in (served, Predictor(model)))
    assert compiled.probability == pytest.approx(other.probability, abs=PARITY)
    assert (compiled.model_version, compiled.feature_version) == (model.model_version, model.feature_version)
    assert served.serving.policy == Policy(accept=0.9, reason="made up")
    assert (tmp_path / "model_card.md").read_text() == "# A model\n"


def test_a_variant_that_reads_words_is_served_as_it_is(tmp_path: Path) -> None:
    fitted = train(VARIANTS["text_linear"], patches(12, 5), seed=0)
    export(fitted, tmp_path)
    assert not (tmp_path / "model.onnx").exists()
    answer = Predictor.load(tmp_path).predict(parse(DIFF), "")
    assert answer.probability == Predictor(fitted).predict(parse(DIFF), "").probability


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not of this version"),
        ({"feature_version": "0"}, "train anew"),
        ({"slope": "steep"}, "wrong type"),
        ({"classic": "yes"}, "wrong type"),
        ({"sha256": 7}, "wrong type"),
        ({"accept": float("nan")}, "not a finite number"),
        ({"slope": 10**400}, "not a finite number"),
        ({"accept": 0.0}, "not within"),
        ({"accept": 0.2, "reject": 0.3}, "overlap"),
        ({"sha256": "0" * 64}, "not the model that serving.json describes"),
        ({"colour": "red"}, "incomplete"),
    ],
)
def test_a_forged_description_is_refused(
    model: FittedModel, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    export(model, tmp_path)
    path = tmp_path / "serving.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        Predictor.load(tmp_path)


def test_a_damaged_or_missing_file_is_refused(model: FittedModel, tmp_path: Path) -> None:
    export(model, tmp_path)
    content = (tmp_path / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content[:-1] + os.urandom(1) + b"x")
    with pytest.raises(ModelError, match=r"model\.onnx: not the model"):
        Predictor.load(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        Predictor.load(tmp_path)
    (tmp_path / "serving.json").write_text("[" * 100_000)
    with pytest.raises(ModelError):
        Predictor.load(tmp_path)


def test_a_model_that_no_longer_answers_as_it_did_is_found_out(model: FittedModel, tmp_path: Path) -> None:
    """The probability of one patch goes along.

    A changed calibration changes it, an old export without it passes.
    """
    serving = export(model, tmp_path)
    assert serving.golden == pytest.approx(model.probabilities([PROBE])[0])
    Predictor.load(tmp_path).check()
    path = tmp_path / "serving.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"slope": content["slope"] * 1.5}))
    with pytest.raises(IntegrityError, match="gives the probe"):
        Predictor.load(tmp_path).check()
    del content["golden"]
    path.write_text(json.dumps(content | {"slope": content["slope"] * 1.5}))
    Predictor.load(tmp_path).check()


def test_serving_the_compiled_form_loads_nothing_heavy() -> None:
    """A service holds the model without scikit-learn, SciPy, pandas and MLflow.

    Workers stay small and start fast.
    """
    code = (
        "import sys, crisol.model.predictor, crisol.abtest.confusion\n"
        "print(sorted({'sklearn', 'scipy', 'pandas', 'mlflow', 'skops'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
