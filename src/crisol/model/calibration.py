"""Calibration: a map from a model's scores to probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sigmoid", "cross_fitted"]

_EDGE = 1e-4
_FLATTEST = 0.05
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """Platt's map from a score s in [0, 1] to the probability 1 / (1 + exp(-(slope * logit(s) + intercept))).

    Call the object with an array of scores, or :meth:`one` with a single score. Scores are first clipped to
    [1e-4, 1 - 1e-4]. :meth:`fit` gives a slope of at least 0.05, so that a higher score never gets a lower
    probability. Sources: Platt, *Probabilistic outputs for support vector machines*, 1999; for the logit of
    the score as input, Kull et al., *Beta calibration*, 2017.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated probability of each score, as an array of the shape of ``score``."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-(self.slope * _log_odds(score) + self.intercept)))

    def one(self, score: float) -> float:
        """Return the calibrated probability of one score; ``score`` lies in [0, 1].

        This is faster than a call with an array of one score.
        """
        score = min(max(score, _EDGE), 1 - _EDGE)
        return 1.0 / (
            1.0
            + math.exp(-min(max(self.slope * math.log(score / (1 - score)) + self.intercept, -700.0), 700.0))
        )

    @classmethod
    def fit(cls, score: NDArray[np.float64], label: NDArray[np.int_]) -> Sigmoid:
        """Return the map whose slope and intercept fit the given scores and labels best (maximum likelihood).

        ``score`` (n,) holds out-of-fold scores in [0, 1]; ``label`` (n,) is 1 for a valid patch, 0 for an
        invalid one. The labels are smoothed as in Platt's paper. A penalty (slope - 1)² / 4 keeps the slope
        finite where the scores separate the classes. The labels may all be the same. For n = 0 the slope is 1
        and the intercept 0.
        """
        if not len(score):
            return cls()
        right = int(label.sum())
        wrong = len(label) - right
        target = np.where(label == 1, (right + 1) / (right + 2), 1 / (wrong + 2))
        x = _log_odds(score)
        slope, intercept = 1.0, 0.0
        for _ in range(_STEPS):
            p = cls(slope, intercept)(score)
            weight = np.maximum(p * (1 - p), 1e-9)
            gradient = np.array([((p - target) * x).sum() + 0.5 * (slope - 1), (p - target).sum()])
            cross = (weight * x).sum()
            hessian = np.array([[(weight * x * x).sum() + 0.5, cross], [cross, weight.sum() + 1e-9]])
            step = np.linalg.solve(hessian, gradient).clip(-2, 2)
            slope, intercept = slope - float(step[0]), intercept - float(step[1])
            if np.abs(step).max() < 1e-10:
                break
        if slope >= _FLATTEST:
            return cls(slope, intercept)
        share = (right + 1) / (len(label) + 2)
        return cls(_FLATTEST, float(np.log(share / (1 - share)) - _FLATTEST * x.mean()))


def cross_fitted(
    score: NDArray[np.float64], label: NDArray[np.int_], fold: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Return calibrated probabilities, shape (n,), from out-of-fold scores.

    The scores of each fold are calibrated by a :class:`Sigmoid` that is fitted on all other folds. ``score``
    (n,) is in [0, 1]. ``label`` (n,) is 1 for a valid patch, 0 for an invalid one. ``fold`` (n,) holds the
    number of each patch's fold. With a single fold no map can be fitted: the result is the scores, clipped to
    [0.0001, 0.9999].
    """
    out = np.empty_like(score)
    for number in np.unique(fold):
        inside = fold == number
        out[inside] = Sigmoid.fit(score[~inside], label[~inside])(score[inside])
    return out


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    score = np.clip(score, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(score / (1 - score)), dtype=np.float64)
