"""The points that the figures draw: ROC, precision and recall, reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

__all__ = ["Curve", "pr_curve", "reliability_curve", "roc_curve"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one line, in the order in which they are joined; shares between 0 and 1."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def roc_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return share of invalid accepted against share of valid accepted; empty where one class is missing."""
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    x, y, _ = metrics.roc_curve(truth, score)
    return Curve(x, y)


def pr_curve(truth: NDArray[np.int_], score: NDArray[np.float64]) -> Curve:
    """Return recall against precision; empty where one class is missing."""
    if len(set(truth.tolist())) < 2:
        return Curve(np.array([]), np.array([]))
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    return Curve(recall, precision)


def reliability_curve(truth: NDArray[np.int_], score: NDArray[np.float64], bins: int = 8) -> Curve:
    """Return mean score against share valid, in bins that hold equally many patches.

    Equal counts rather than equal widths: a nearly empty bin says nothing and draws the eye.
    """
    order = np.argsort(score, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    x = np.array([score[part].mean() for part in parts])
    y = np.array([truth[part].mean() for part in parts])
    return Curve(x, y)
