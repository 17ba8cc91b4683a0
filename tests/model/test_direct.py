"""Text and means, computed for one row: the same probabilities as scikit-learn's, or none of this form."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.naive_bayes import GaussianNB

from crisol.diff import parse
from crisol.model.direct import direct_scorer
from crisol.model.predictor import Predictor
from crisol.model.serving import PARITY, export
from crisol.model.training import train
from crisol.model.variants import Given, load_variants
from support.model_data import patches, small

ROOT = Path(__file__).parents[2]
VARIANTS = load_variants(ROOT / "experiments" / "variants.yaml")


@pytest.mark.parametrize("name", ["text_linear", "text_features", "stack"])
def test_a_served_text_model_gives_the_probabilities_of_scikit_learn(name: str, tmp_path: Path) -> None:
    """A linear model, and a mean of one with trees, answer as ``predict_proba`` does."""
    labelled = patches(20, 4)
    model = train(small(VARIANTS[name]), labelled, seed=0)
    export(model, tmp_path)
    served = Predictor.load(tmp_path)
    assert served.form == "numpy"
    plain = Predictor(model)
    for patch in labelled:
        probability = served.predict(parse(patch.diff), patch.cwe).probability
        assert probability == pytest.approx(
            plain.predict(parse(patch.diff), patch.cwe).probability, abs=PARITY
        )


def test_an_estimator_of_another_kind_has_no_direct_form() -> None:
    """Scikit-learn computes what is neither linear, nor trees, nor a mean of those."""
    assert direct_scorer(train(Given(GaussianNB()), patches(20, 4), seed=0).pipeline) is None
