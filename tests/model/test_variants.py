from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_validate

from crisol.errors import ExperimentError
from crisol.model.variants import Variant, load_variants
from support.model_data import patches, small

VARIANTS = load_variants(Path(__file__).parents[2] / "experiments" / "variants.yaml")


def test_the_docs_name_every_variant_of_the_file() -> None:
    said = (Path(__file__).parents[2] / "docs" / "model.md").read_text()
    assert [name for name in VARIANTS if f"`{name}`" not in said] == []


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_keeps_the_estimator_contract(variant: Variant) -> None:
    """It can be cloned and cross-validated on a list of patches; its random state decides its digits."""
    made = patches(6, 8)
    label = np.array([patch.label for patch in made])
    pipeline = clone(small(variant).estimator(3))
    result = cross_validate(
        pipeline, made, label, groups=[patch.group for patch in made], cv=GroupKFold(2), error_score="raise"
    )
    assert len(result["test_score"]) == 2
    probability = pipeline.fit(made, label).predict_proba(made)
    assert np.allclose(probability.sum(axis=1), 1)
    array = np.empty(len(made), dtype=object)
    array[:] = made
    assert np.array_equal(
        clone(small(variant).estimator(3)).fit(array, label).predict_proba(array), probability
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\nvariants: {a: {description: d, model: forest}}", "version"),
        ("version: 1\nvariants: {}", "variants"),
        (
            "version: 1\nvariants: {a: {description: d, model: prophet}}",
            "a: entry: .*no model is called 'prophet'",
        ),
        ("version: 1\nvariants: {a: {description: d, model: forest, colour: red}}", "variants.a.colour"),
        (
            "version: 1\nvariants: {a: {description: d, model: forest, parameters: {trees: 3}}}",
            "no parameter trees",
        ),
        (
            "version: 1\nvariants: {a: {description: d, model: forest, parameters: {n_jobs: 3}}}",
            "no parameter n_jobs",
        ),
        ("version: 1\nvariants: {A-b: {description: d, model: forest}}", "name"),
        ("version: 1\nvariants: {a: {description: d, model: mean}}", "names its members"),
        ("version: 1\nvariants: {a: {description: d, model: mean, members: [b]}}", "no entry above"),
        ("version: 1\nvariants: {a: {description: d, model: linear, words: -1}}", "words"),
        ("version: [", "cannot be read"),
        ("!!python/object/apply:os.getcwd []", "cannot be read"),
        ("", "dictionary"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentError, match=message):
        load_variants(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="cannot be read"):
        load_variants(tmp_path / "none.yaml")
