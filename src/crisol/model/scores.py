"""Measures of a probability against the truth, as plain functions of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEAST_GROUPS",
    "Confusion",
    "auc",
    "auc_inside_groups",
    "auc_interval",
    "average_precision",
    "calibration_error",
    "confusion",
    "same_group_mean",
]

LEAST_GROUPS = 10
"""The least number of vulnerabilities for an interval; a bootstrap over fewer gives far too narrow ones."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]


class Confusion(NamedTuple):
    """The four counts of a confusion matrix; a probability of valid of at least 0.5 counts as an accept.

    The fields, in order: ``true_accepts`` counts valid patches that are accepted, ``false_accepts`` invalid
    patches that are accepted, ``false_rejects`` valid patches that are rejected, and ``true_rejects`` invalid
    patches that are rejected.
    """

    true_accepts: int
    false_accepts: int
    false_rejects: int
    true_rejects: int

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient, in [-1, 1]; 0 where a row or column of the matrix is empty."""
        tp, fp, fn, tn = (float(cell) for cell in self)
        square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return float((tp * tn - fp * fn) / np.sqrt(square)) if square else 0.0


def confusion(label: _Ints, probability: _Floats) -> Confusion:
    """Return the confusion matrix of predictions; a probability of at least 0.5 accepts a patch.

    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``probability`` (n,) is the probability of
    valid.
    """
    predicted = probability >= 0.5
    right = label == 1
    cells = (right & predicted, ~right & predicted, right & ~predicted, ~right & ~predicted)
    return Confusion(*(int(cell.sum()) for cell in cells))


def auc(label: _Ints, score: _Floats, weight: _Floats | None = None) -> float:
    """Return the area under the ROC curve, or nan where the labels are all the same.

    It is the chance that a valid patch has a higher score than an invalid one; equal scores count half.
    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) may have any scale. ``weight``
    (n,) weighs the patches; None weighs them equally.
    """
    _, rank = np.unique(score, return_inverse=True)
    ones = np.ones(len(label)) if weight is None else weight
    return _auc(label, rank, ones, int(rank.max(initial=0)) + 1)


def _auc(label: _Ints, rank: _Ints, weight: _Floats, ranks: int) -> float:
    right = np.bincount(rank, weights=weight * label, minlength=ranks)
    wrong = np.bincount(rank, weights=weight * (1 - label), minlength=ranks)
    pairs = right.sum() * wrong.sum()
    if not pairs:
        return float("nan")
    return float((right * (np.cumsum(wrong) - wrong / 2)).sum() / pairs)


def auc_interval(
    label: _Ints,
    score: _Floats,
    groups: NDArray[np.str_],
    *,
    repeats: int,
    seed: int,
    weight: _Floats | None = None,
) -> tuple[float, float]:
    """Return the ends (low, high) of a 95 % interval of the AUC, by a bootstrap over groups.

    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) may have any scale; ``groups``
    (n,) names the group of each patch. ``weight`` (n,) weighs the patches; None weighs them equally.
    ``repeats`` is the number of resamples, ``seed`` draws them. Both ends are nan for fewer than ten groups,
    and where no resample has both labels.
    """
    ones = np.ones(len(label)) if weight is None else weight
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < LEAST_GROUPS:
        return float("nan"), float("nan")
    _, rank = np.unique(score, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(repeats):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        drawn.append(_auc(label, rank, ones * times[group], int(rank.max(initial=0)) + 1))
    values = np.array(drawn)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def auc_inside_groups(label: _Ints, score: _Floats, groups: NDArray[np.str_]) -> float:
    """Return the AUC that compares only patches of the same group, or nan where no group has both labels.

    It is the chance that, of a valid and an invalid patch of one group, the valid one has the higher score.
    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) may have any scale; ``groups``
    (n,) names the group of each patch.
    """
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    won = pairs = 0.0
    for rows in np.split(order, starts[1:]):
        right = float(label[rows].sum())
        here = right * (len(rows) - right)
        if here:
            won += here * auc(label[rows], score[rows])
            pairs += here
    return won / pairs if pairs else float("nan")


def average_precision(label: _Ints, score: _Floats) -> float:
    """Return the average precision (area under the precision-recall steps), or nan without a valid patch.

    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) may have any scale.
    """
    if not label.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    right = np.cumsum(label[order])[last]
    precision = right / (np.flatnonzero(last) + 1)
    return float((np.diff(right, prepend=0) * precision).sum() / right[-1])


def calibration_error(label: _Ints, probability: _Floats, bins: int = 10) -> float:
    """Return the expected calibration error, from 0 (perfect) to 1.

    Patches are put into ``bins`` equally wide bins by their probability. The error of a bin is the absolute
    difference between its mean probability and its mean label. The result is the mean of these errors, in
    which a bin is weighted by its number of patches. ``label`` (n,) is 1 for a valid patch, 0 for an invalid
    one; ``probability`` (n,) is the probability of valid; n is at least 1.
    """
    where = np.minimum((probability * bins).astype(int), bins - 1)
    gap = np.bincount(where, weights=probability - label, minlength=bins)
    return float(np.abs(gap).sum() / len(label))


def same_group_mean(label: _Ints, groups: NDArray[np.str_]) -> _Floats:
    """Return for each patch the mean label of the other patches in its group, shape (n,).

    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``groups`` (n,) names the group of each
    patch. A patch that is alone in its group gets the mean of all labels. The AUC of this guess shows how
    good a model can become by recognising the vulnerability alone.
    """
    _, group = np.unique(groups, return_inverse=True)
    total = np.bincount(group, weights=label)[group] - label
    neighbours = np.bincount(group)[group] - 1
    return np.asarray(
        np.where(neighbours > 0, total / np.maximum(neighbours, 1), label.mean()), dtype=np.float64
    )
