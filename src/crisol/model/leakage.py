"""What a set gives away without looking at the code: who made a patch, and in which style it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crisol.model import scores
from crisol.model.evaluation import Outer
from crisol.model.features import index, measure
from crisol.model.folds import grouped_folds, labels, out_of_fold
from crisol.model.naming import naming
from crisol.model.reading import open_diff, read
from crisol.records import LabelledPatch

__all__ = ["STYLE", "Leakage", "leakage"]

STYLE = (
    "line_length",
    "indent_added",
    "context_lines",
    "quotes_net",
    "tokens_added",
)
"""Features that say how a patch is written rather than what it does."""

_REPEATS = 1000


@dataclass(frozen=True, slots=True)
class Leakage:
    """AUC on unseen groups of guesses that know nothing of the fix; far from 0.5, the set can be gamed."""

    origin_auc: float
    """Of the mean label that the same tool or origin has in the other folds."""
    origin_low: float
    origin_high: float
    """Its 95 % interval, from resampling whole groups."""
    style_auc: float
    """Of a linear model over :data:`STYLE`, comments, blank lines and :data:`crisol.model.naming.NAMING`."""
    style_low: float
    style_high: float
    """Its interval."""
    same_group_mean_auc: float
    """Of the mean label of the group's other patches: what a random split gives away."""


def leakage(
    patches: Sequence[LabelledPatch], *, seed: int, folds: int = 10, outer: Outer = "group"
) -> Leakage:
    """Measure all three in the folds that :func:`crisol.model.evaluation.evaluate` makes."""
    label = labels(patches)
    group = np.array([patch.group for patch in patches])
    fold = grouped_folds(label, np.array([getattr(patch, outer) for patch in patches]), folds, seed)
    tool = np.array([patch.tool for patch in patches])
    style = np.array([_style(patch) for patch in patches])
    model = make_pipeline(StandardScaler(), LogisticRegression())
    squashed = np.sign(style) * np.log1p(np.abs(style))
    guesses = (_mean_elsewhere(label, tool, fold), out_of_fold(model, squashed, label, fold))
    origin, by_style = (
        (scores.auc(label, guess), *scores.auc_interval(label, guess, group, repeats=_REPEATS, seed=seed))
        for guess in guesses
    )
    return Leakage(*origin, *by_style, scores.auc(label, scores.same_group_mean(label, group)))


def _style(patch: LabelledPatch) -> list[float]:
    opened = open_diff(patch.diff)
    reading = read(opened, patch.cwe)
    values = measure(reading)
    # Features leave out what no program runs; an author shows in it all the same.
    idle = (len(opened.added) - reading.added.lines, len(opened.removed) - reading.removed.lines)
    return [*(values[index(name)] for name in STYLE), *idle, *naming(reading)]


def _mean_elsewhere(
    label: NDArray[np.int_], key: NDArray[np.str_], fold: NDArray[np.int_]
) -> NDArray[np.float64]:
    _, code = np.unique(key, return_inverse=True)
    out = np.empty(len(label))
    for number in np.unique(fold):
        inside = fold == number
        size = np.bincount(code[~inside], minlength=int(code.max()) + 1)
        right = np.bincount(code[~inside], weights=label[~inside], minlength=len(size))
        share = label[~inside].mean()
        out[inside] = ((right + share) / (size + 1))[code[inside]]
    return out
