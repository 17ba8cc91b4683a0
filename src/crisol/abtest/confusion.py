"""Estimate precision, recall and the like from a weighted confusion matrix, each with an interval.

A patch of which the model is sure is wargamed with a small probability p, any other patch always (p = 1).
Without weights the metrics would describe the wargamed patches. With the weight 1/p for each patch they
describe all patches that arrived (Hájek 1971). Positive means valid, so a false positive is a false accept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.abtest.tally import Cell, Tally
from crisol.model.intervals import quantile, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["METRICS", "ConfusionMetrics", "Estimate", "metrics", "proportion"]

_UNKNOWN = math.nan


@dataclass(frozen=True, slots=True)
class Estimate:
    """A weighted estimate (``value``) with its confidence interval from ``low`` to ``high``.

    The coverage of the interval is the ``level`` of the function that made it, 95 % by default. ``n`` is the
    number of trials on which the estimate rests. ``effective_n`` is the number of trials of equal weight that
    carry as much information. ``value``, ``low`` and ``high`` are NaN if the estimate is not defined,
    for example without trials.
    """

    value: float
    low: float
    high: float
    n: int
    effective_n: float


@dataclass(frozen=True, slots=True)
class ConfusionMetrics:
    """The usual metrics of a confusion matrix, each with its interval; the positive class is valid.

    ``accuracy`` is the share of right predictions. ``precision`` is the share of valid patches among those
    predicted valid, ``recall`` the share of the valid patches that were predicted valid, and ``f1`` the
    harmonic mean of both. ``mcc`` is Matthews' correlation coefficient, -1 to 1; all others are 0 to 1.
    ``false_accept_rate`` is the share of the invalid patches that were predicted valid, ``prevalence`` the
    share of valid patches. ``n`` counts the conclusive trials, ``inconclusive`` the others.
    """

    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    mcc: Estimate
    false_accept_rate: Estimate
    prevalence: Estimate
    n: int
    inconclusive: int


METRICS = ("accuracy", "precision", "recall", "f1", "mcc", "false_accept_rate", "prevalence")
"""The names of the estimates in :class:`ConfusionMetrics`, in the order in which they are shown."""


def metrics(tally: Tally, level: float = 0.95) -> ConfusionMetrics:
    """Return all metrics of a tally with their intervals; ``level`` is the intervals' coverage, in (0, 1).

    A metric that would divide by 0 is NaN, as is each metric of a tally without conclusive trials.

    >>> one = Cell(45, 45.0, 45.0)
    >>> metrics(Tally(tp=one, fp=Cell(5, 5.0, 5.0))).precision.value
    0.9
    """
    tp, fp, fn, tn = tally.tp, tally.fp, tally.fn, tally.tn
    return ConfusionMetrics(
        accuracy=proportion([tp, tn], [fp, fn], level),
        precision=proportion([tp], [fp], level),
        recall=proportion([tp], [fn], level),
        f1=_f1(tally, level),
        mcc=_mcc(tally, level),
        false_accept_rate=proportion([fp], [tn], level),
        prevalence=proportion([tp, fn], [fp, tn], level),
        n=tally.n,
        inconclusive=tally.inconclusive,
    )


def proportion(hits: Sequence[Cell], misses: Sequence[Cell], level: float = 0.95) -> Estimate:
    """Return the weighted share of hits among hits and misses, with its interval.

    ``hits`` and ``misses`` are cells of a tally: for precision, ``[tp]`` and ``[fp]``. ``level`` is the
    interval's coverage, in (0, 1). If the cells hold no trial, the share and its bounds are NaN.

    The interval is Wilson's, with an effective number of trials in place of their number. The effective
    number is share * (1 - share) / variance; the variance is that of a ratio of weighted sums, by
    linearisation. This formula takes a few pseudo-trials into account, half of them hits, so that the
    interval also holds for few trials (Agresti & Coull 1998). With equal weights the result is Wilson's
    interval of the plain counts.
    """
    hit, total = sum(hits, Cell()), sum([*hits, *misses], Cell())
    if total.n == 0:
        return Estimate(_UNKNOWN, _UNKNOWN, _UNKNOWN, 0, 0.0)
    share = min(1.0, hit.weight / total.weight)
    effective = _effective_n(hit, total, level)
    return Estimate(share, *wilson(share, effective, level), total.n, effective)


def _effective_n(hit: Cell, total: Cell, level: float) -> float:
    pseudo = quantile(level) ** 2
    mean = total.weight_squared / total.weight
    weight = total.weight + pseudo * mean
    share = (hit.weight + pseudo * mean / 2.0) / weight
    hit_squared = hit.weight_squared + pseudo * mean**2 / 2.0
    miss_squared = total.weight_squared - hit.weight_squared + pseudo * mean**2 / 2.0
    variance = (hit_squared * (1.0 - share) ** 2 + miss_squared * share**2) / weight**2
    kish = total.weight**2 / total.weight_squared
    return max(share * (1.0 - share) / variance - pseudo, min(1.0, kish))


def _f1(tally: Tally, level: float) -> Estimate:
    # F1 = 2J / (1 + J) rises with J = tp / (tp + fp + fn), which is a proportion and has Wilson's interval.
    share = proportion([tally.tp], [tally.fp, tally.fn], level)
    value, low, high = (2.0 * j / (1.0 + j) for j in (share.value, share.low, share.high))
    return Estimate(value, low, high, share.n, share.effective_n)


def _mcc(tally: Tally, level: float) -> Estimate:
    """Return Matthews' correlation with its delta-method interval on Fisher's z scale (Itaya et al. 2024).

    Value and bounds are NaN if all predictions, or all verdicts, are of one class.
    """
    cells = (tally.tp, tally.fp, tally.fn, tally.tn)
    value, _ = _correlation([cell.weight for cell in cells])
    if math.isnan(value):
        return Estimate(value, _UNKNOWN, _UNKNOWN, tally.n, 0.0)
    total = sum(cells, Cell())
    mean = total.weight_squared / total.weight
    # Half a trial is added to each cell (Haldane 1956): without it a matrix without errors has no variance.
    weights = [cell.weight + mean / 2.0 for cell in cells]
    squares = [cell.weight_squared + mean**2 / 2.0 for cell in cells]
    smooth, gradient = _correlation(weights)
    variance = sum(square * slope**2 for square, slope in zip(squares, gradient, strict=True))
    half = quantile(level) * math.sqrt(variance) / (1.0 - smooth**2)
    low, high = math.tanh(math.atanh(smooth) - half), math.tanh(math.atanh(smooth) + half)
    return Estimate(value, min(low, value), max(high, value), tally.n, total.weight**2 / total.weight_squared)


def _correlation(cells: Sequence[float]) -> tuple[float, list[float]]:
    """Return Matthews' correlation coefficient and its partial derivatives with respect to ``cells``.

    ``cells`` are the sums of the weights of tp, fp, fn and tn; the derivatives have the same order. The
    result is (NaN, []) if a row or a column of the matrix sums to 0.
    """
    tp, fp, fn, tn = cells
    margins = (tp + fp, tp + fn, tn + fp, tn + fn)
    if min(margins) == 0.0:
        return math.nan, []
    root = math.sqrt(math.prod(margins))
    value = (tp * tn - fp * fn) / root
    a, b, c, d = (1.0 / margin for margin in margins)
    slopes = [
        tn / root - value * (a + b) / 2.0,
        -fn / root - value * (a + c) / 2.0,
        -fp / root - value * (b + d) / 2.0,
        tp / root - value * (c + d) / 2.0,
    ]
    return value, slopes
