"""What each group of features brings: the same variant without it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import diags_array
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from crisol.model import scores
from crisol.model.calibration import cross_fitted
from crisol.model.folds import grouped_folds, labels, out_of_fold
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = ["Ablation", "ablate"]


@dataclass(frozen=True, slots=True)
class Ablation:
    """AUC of a variant without one group of features, and with that group alone.

    Both are measured on groups of patches that were not trained on. ``without`` names the feature group and
    ``features`` counts its columns. The row whose ``without`` is ``"none"`` holds the AUC of the whole model
    in both ``auc`` and ``auc_alone``, and 0 features.
    """

    without: str
    features: int
    auc: float
    auc_alone: float


def ablate(
    variant: Variant,
    patches: Sequence[LabelledPatch],
    *,
    seed: int,
    folds: int = 10,
    only: Container[str] | None = None,
) -> Iterator[Ablation]:
    """Yield the row of the whole model, then one row for each feature group.

    ``only`` names the feature groups to leave out in turn; None takes all. Folds and calibration are those of
    :func:`crisol.model.evaluation.evaluate` without a search, so the row of the whole model has its AUC.
    Columns that are left out are set to zero, so that every model has the same shape; hashed words are always
    kept. Raises :class:`~crisol.errors.DatasetError` as :func:`grouped_folds` does.
    """
    label = labels(patches)
    pipeline = variant.estimator(seed)
    with threadpool_limits(1):
        rows = pipeline[0].transform(patches)
        fold = grouped_folds(label, np.array([patch.group for patch in patches]), folds, seed)
        names = np.array([feature.group for feature in pipeline[0].features])

        def auc(keep: np.ndarray) -> float:
            wide = np.append(keep, np.ones(rows.shape[1] - len(keep), dtype=bool))
            selected = rows @ diags_array(wide.astype(np.float64), format="csr")
            guess = cross_fitted(out_of_fold(pipeline[1], selected, label, fold), label, fold)
            return scores.auc(label, guess)

        whole = auc(np.ones(len(names), dtype=bool))
        yield Ablation("none", 0, whole, whole)
        for name in dict.fromkeys(names.tolist()):
            if only is not None and name not in only:
                continue
            inside = names == name
            yield Ablation(name, int(inside.sum()), auc(~inside), auc(inside))
