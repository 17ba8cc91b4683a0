"""The AUC of a variant without one feature group, for each feature group."""

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
    """The AUC of a variant without one feature group, and the AUC with that feature group alone.

    ``without`` is the name of the feature group, ``features`` its number of columns. ``auc`` is the AUC
    without the feature group, ``auc_alone`` the AUC with no other feature group. Both come from out-of-fold
    predictions; hashed words, if the variant reads them, are present in both. In the row with
    ``without="none"``, both fields are the AUC of the whole model, and ``features`` is 0.
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
    """Yield the AUC of the whole model, then one row for each feature group that is left out.

    ``only`` holds the names of the feature groups to leave out, one at a time; None means all. The columns of
    a left-out feature group are set to 0; hashed words always stay. Each AUC is measured by cross-validation:
    ``folds`` is the largest number of folds, no fold splits a group of patches, and ``seed`` draws the folds
    and seeds the estimator. The hyper-parameters are those of the variant. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two groups of patches, or fewer than two patches of a
    class.
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
