"""The features that move a tree model's predictions: exact SHAP values of trees (Lundberg et al., 2020)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from crisol.model import training
from crisol.model.compiled import compilable
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = ["attribution"]


def attribution(
    variant: Variant, patches: Sequence[LabelledPatch], *, seed: int, most: int = 15
) -> pd.DataFrame:
    """Return the features that move a variant's predictions most, by their SHAP values.

    The variant is trained on ``patches``, and SHAP values are computed for the same patches; ``seed`` seeds
    the training. The table has the ``most`` features with the largest mean absolute SHAP value, the largest
    on top. Columns: feature, group (feature group), unit, attribution (mean absolute SHAP value; its unit is
    log-odds for boosted trees, probability for forests), direction (correlation, -1 to 1, of the feature with
    its SHAP value). The table is empty for a variant without trees. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two groups of patches, or fewer than two patches of a
    class.
    """
    columns = ["feature", "group", "unit", "attribution", "direction"]
    model = training.train(variant, patches, seed)
    if not compilable(model.pipeline[1]):
        return pd.DataFrame(columns=columns)
    rows = model.pipeline[0].transform(patches)
    with warnings.catch_warnings():
        # Shap and LightGBM call deprecated functions of their dependencies; no code of Crisol is involved.
        warnings.simplefilter("ignore")
        import shap  # noqa: PLC0415 - takes seconds to load, and only this needs it

        values = np.asarray(shap.TreeExplainer(model.pipeline[1]).shap_values(rows))
    values = values[..., 1] if values.ndim == 3 else values
    size = np.abs(values).mean(axis=0)
    attributions = []
    for at in np.argsort(-size, kind="stable")[:most]:
        feature, value, effect = model.pipeline[0].features[at], rows[:, at], values[:, at]
        constant = value.std() == 0 or effect.std() == 0
        direction = 0.0 if constant else float(np.corrcoef(value, effect)[0, 1])
        attributions.append((feature.name, feature.group, feature.unit, float(size[at]), direction))
    return pd.DataFrame(attributions, columns=columns)
