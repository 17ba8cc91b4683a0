"""The points of three curves that :mod:`crisol.tracking.plots` draws: ROC, precision-recall, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

__all__ = ["Curve", "pr_curve", "reliability_curve", "roc_curve"]


@dataclass(frozen=True, slots=True)
class Curve:
    """The points (x, y) of one line, in drawing order: two arrays of equal length."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def roc_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return the ROC curve of a score; each of its points belongs to one threshold of the score.

    The x of a point is the share of the invalid patches at or above the threshold, its y that of the valid
    patches. ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) is higher for patches
    that are more likely valid. The curve has no points if all patches are of one class.
    """
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    x, y, _ = metrics.roc_curve(truth, score)
    return Curve(x, y)


def pr_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return the precision-recall curve: x is the recall, y the precision, of valid patches.

    ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) is higher for patches that are
    more likely valid. The curve has no points if all patches are of one class.
    """
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    return Curve(recall, precision)


def reliability_curve(truth: NDArray[np.int_], score: NDArray[np.float64], bins: int = 8) -> Curve:
    """Return the reliability curve: one point for each bin of patches.

    The x of a point is the mean score of the patches in the bin, the y is the share of valid patches in it.
    ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``score`` (n,) is the predicted probability
    of valid. The patches are sorted by score and cut into ``bins`` bins, whose sizes differ by at most one;
    empty bins, which occur if there are fewer patches than bins, give no point.
    """
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    x = np.array([score[part].mean() for part in parts])
    y = np.array([truth[part].mean() for part in parts])
    return Curve(x, y)
