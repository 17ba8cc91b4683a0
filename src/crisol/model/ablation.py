"""The AUC of a variant without one group of features, for each group."""

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
    """The AUC of a variant without one group of features, and with that group alone.

    ``without`` is the name of the feature group, ``features`` its number of columns. ``auc`` is measured
    without the group, ``auc_alone`` with the group alone, both on groups of patches that the model was not
    trained on. The row ``without="none"`` has the AUC of the whole model in both fields, and 0 features.
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
    """Yield the AUC of the whole model, then one row for each group of features that is left out.

    ``only`` names the feature groups to leave out, each in its turn; None takes all. A group that is left out
    has its columns set to zero; hashed words are always kept. ``seed`` and ``folds`` are those of
    :func:`crisol.model.evaluation.evaluate`, without a search. Raises :class:`~crisol.errors.DatasetError`
    for fewer than two groups of patches or two patches of a class.
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
