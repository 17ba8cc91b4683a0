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
"""Vulnerabilities below which no interval over them is given: a bootstrap of fewer is far too narrow."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]


class Confusion(NamedTuple):
    """Four counts of patches; a probability of valid of one half or more counts as an accept.

    A true accept (reject) is a valid (invalid) patch; a false accept is an invalid patch with an accept, a
    false reject a valid patch with a reject.
    """

    true_accepts: int
    false_accepts: int
    false_rejects: int
    true_rejects: int

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient in [-1, 1]; 0 where a row or column of the matrix is empty."""
        tp, fp, fn, tn = (float(cell) for cell in self)
        square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return float((tp * tn - fp * fn) / np.sqrt(square)) if square else 0.0


def confusion(label: _Ints, probability: _Floats) -> Confusion:
    """Count the patches by label (1: valid) and by prediction (accept from a probability of one half on).

    ``label`` and ``probability`` have shape (n,).
    """
    predicted = probability >= 0.5
    right = label == 1
    cells = (right & predicted, ~right & predicted, right & ~predicted, ~right & ~predicted)
    return Confusion(*(int(cell.sum()) for cell in cells))


def auc(label: _Ints, score: _Floats, weight: _Floats | None = None) -> float:
    """Return the chance that a valid patch (label 1) has a higher score than an invalid one; ties count half.

    ``label`` and ``score`` have shape (n,). ``weight`` (n,) weighs the patches; None weighs them equally. The
    AUC of random scores is 0.5; a set without both classes has nan.
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
    """Return the ends (low, high) of the AUC's 95 % interval, from ``repeats`` bootstrap samples of groups.

    ``label``, ``score`` and ``groups`` have shape (n,). ``weight`` (n,) weighs the patches; None weighs them
    equally. Both ends are nan for fewer than :data:`LEAST_GROUPS` groups, and where no sample has both
    classes. ``seed`` draws the samples.
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
    """Return the AUC over pairs of a valid and an invalid patch of the same group.

    It is nan where there is no such pair. All arrays have shape (n,); a label is 1 for a valid patch.
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
    """Return the average precision (area under the precision-recall steps); nan without a correct patch."""
    if not label.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    right = np.cumsum(label[order])[last]
    precision = right / (np.flatnonzero(last) + 1)
    return float((np.diff(right, prepend=0) * precision).sum() / right[-1])


def calibration_error(label: _Ints, probability: _Floats, bins: int = 10) -> float:
    """Return the expected calibration error, from 0 (perfect) to 1.

    ``bins`` is the number of probability bins of equal width. The result is the mean over bins of the
    difference between mean probability and mean label; a bin weighs its number of patches.
    """
    where = np.minimum((probability * bins).astype(int), bins - 1)
    gap = np.bincount(where, weights=probability - label, minlength=bins)
    return float(np.abs(gap).sum() / len(label))


def same_group_mean(label: _Ints, groups: NDArray[np.str_]) -> _Floats:
    """Return for each patch the mean label of the other patches in its group, shape (n,).

    A patch alone in its group gets the overall mean. A model that only recognises the vulnerability would
    predict this mean; the AUC of this mean is the part of a random split's AUC that is due to leaks.
    """
    _, group = np.unique(groups, return_inverse=True)
    total = np.bincount(group, weights=label)[group] - label
    neighbours = np.bincount(group)[group] - 1
    return np.asarray(
        np.where(neighbours > 0, total / np.maximum(neighbours, 1), label.mean()), dtype=np.float64
    )
