"""The points that the figures draw: ROC, precision and recall, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

__all__ = ["Curve", "pr_curve", "reliability_curve", "roc_curve"]


@dataclass(frozen=True, slots=True)
class Curve:
    """The points (x, y) of one line, in drawing order; both are shares in [0, 1]."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def roc_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return the ROC curve: x is the share of invalid patches accepted, y the share of valid ones.

    ``truth``, shape (n,), is 1 for valid, else 0; ``score``, shape (n,), is higher for patches that are more
    likely valid. If all patches are of one class, the curve has no points.
    """
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    x, y, _ = metrics.roc_curve(truth, score)
    return Curve(x, y)


def pr_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return the precision-recall curve: x is recall, y precision, of valid patches.

    ``truth``, shape (n,), is 1 for valid, else 0; ``score``, shape (n,), is higher for patches that are more
    likely valid. If all patches are of one class, the curve has no points.
    """
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    return Curve(recall, precision)


def reliability_curve(truth: NDArray[np.int_], score: NDArray[np.float64], bins: int = 8) -> Curve:
    """Return a reliability curve: x is the mean score of a bin, y the share of valid patches in the bin.

    ``truth`` is 1 for valid; ``score`` is the predicted probability of valid. The ``bins`` bins hold equally
    many patches; bins of equal width could be nearly empty.
    """
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    x = np.array([score[part].mean() for part in parts])
    y = np.array([truth[part].mean() for part in parts])
    return Curve(x, y)
