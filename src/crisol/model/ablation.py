"""The AUC of a variant after one feature group is left out; each feature group is left out in turn."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array
from sklearn.utils.parallel import Parallel, delayed
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
    predictions; hashed words, if the variant reads them, are present in both. If ``without`` is ``"none"``,
    nothing is left out: ``auc`` and ``auc_alone`` are the AUC of the whole model, and ``features`` is 0.
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
    """Yield an :class:`Ablation` of the whole model, then one for each feature group, in column order.

    ``only`` holds the names of the feature groups to leave out, one at a time; None means all. A name is the
    ``group`` of a :class:`~crisol.model.features.Feature`, such as ``flow``; a name that no feature of the
    variant has is ignored. The columns of a left-out feature group are set to 0; hashed words always stay.
    Each AUC is measured by cross-validation: ``folds`` is the largest number of folds, no fold splits a group
    of patches, and ``seed`` draws the folds and seeds the estimator. The hyper-parameters are those of the
    variant. The work is spread over all cores. Raises :class:`~crisol.errors.DatasetError` for fewer than two
    groups of patches, or fewer than two patches of a class.
    """
    label = labels(patches)
    pipeline = variant.estimator(seed)
    with threadpool_limits(1):
        rows = pipeline[0].transform(patches)
    fold = grouped_folds(label, np.array([patch.group for patch in patches]), folds, seed)
    names = np.array([feature.group for feature in pipeline[0].features])
    left_out = [name for name in dict.fromkeys(names.tolist()) if only is None or name in only]
    whole = np.ones(len(names), dtype=bool)
    kept = [whole, *(keep for name in left_out for keep in (names != name, names == name))]
    measure = delayed(_auc)
    everything, *aucs = Parallel(n_jobs=-1)(measure(pipeline[1], rows, label, fold, keep) for keep in kept)
    yield Ablation("none", 0, everything, everything)
    for name, auc, alone in zip(left_out, aucs[::2], aucs[1::2], strict=True):
        yield Ablation(name, int((names == name).sum()), auc, alone)


def _auc(
    model: Any, rows: Any, label: NDArray[np.int_], fold: NDArray[np.int_], keep: NDArray[np.bool_]
) -> float:
    """Return the AUC of calibrated out-of-fold predictions from the hashed words and some of the features.

    ``rows`` (n, columns) has the features first, then the hashed words. ``keep`` has one entry for each
    feature, True if it is used.
    """
    wide = np.append(keep, np.ones(rows.shape[1] - len(keep), dtype=bool))
    selected = rows @ diags_array(wide.astype(np.float64), format="csr")
    with threadpool_limits(1):
        return scores.auc(label, cross_fitted(out_of_fold(model, selected, label, fold), label, fold))
