"""Detect that inputs, errors or calibration have changed since the model was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crisol.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Alarm", "calibration_drift", "input_drift", "psi", "worsening"]

_BETS = np.array([0.05, 0.1, 0.2, 0.4, 0.8])


@dataclass(frozen=True, slots=True, eq=False)
class Alarm:
    """The result of a drift detector over a sequence of n trials, whether or not it raised an alarm.

    ``evidence``, shape (n,), is the detector's statistic after each trial. ``raised_at`` is the 0-based index
    of the first trial at which the statistic reaches ``threshold``; there the alarm is raised. ``began_at``
    is the 0-based index of the trial at which the drift is estimated to have begun. Both are None if no alarm
    was raised.
    """

    evidence: NDArray[np.float64]
    threshold: float
    raised_at: int | None
    began_at: int | None


def worsening(
    errors: ArrayLike,
    baseline: float,
    weights: ArrayLike | None = None,
    *,
    max_weight: float | None = None,
    run_length: float = 10_000.0,
) -> Alarm:
    """Detect whether a model's error rate has risen above ``baseline``, and at which trial.

    ``errors``, shape (n,), in the order of time, are 1 for a wrong prediction, else 0. ``baseline`` is in (0,
    1); take the upper confidence bound of the error rate in validation. ``weights``, shape (n,), are 1 /
    sampling probability; None means all 1. ``max_weight`` is the largest possible weight, which no weight may
    exceed; None means the largest in ``weights``. While the error rate is at most the baseline, false alarms
    are at least ``run_length`` trials apart on average, for any distribution. The detector is a CUSUM of
    e-values (Shin, Ramdas & Rinaldo 2024). Raises :class:`~crisol.errors.InputError` for an error outside
    0..1, a weight that is negative, not finite or above ``max_weight``, arrays of different lengths, or a
    ``baseline`` out of range.
    """
    x = _within("error", errors, 0.0, 1.0)
    w = np.ones_like(x) if weights is None else _within("weight", weights, 0.0, np.inf)
    if not 0.0 < baseline < 1.0:
        raise InputError(f"baseline is {baseline}, not within (0, 1)")
    if w.shape != x.shape:
        raise InputError(f"{w.size} weights and {x.size} errors")
    bound = float(w.max(initial=1.0)) if max_weight is None else max_weight
    if w.max(initial=0.0) > bound:
        raise InputError(f"weight {w.max()} exceeds max_weight {bound}: give the design's 1 / rate")
    # A bet of 1 / baseline would lose everything on the first right prediction of full weight.
    return _watch((w / bound * (x - baseline) / baseline)[:, None] * _BETS, run_length)


def calibration_drift(
    probabilities: ArrayLike, outcomes: ArrayLike, *, tolerated: float = 0.0, run_length: float = 10_000.0
) -> Alarm:
    """Detect whether outcomes deviate from the predicted probabilities, and at which trial.

    ``probabilities``, shape (n,), in the order of time, are the predicted probabilities of valid.
    ``outcomes``, shape (n,), are 1 for valid, 0 for invalid. The alarm is raised if patches are valid more
    often, or less often, than predicted. The alarm is also raised if the model is overconfident: its mean
    confidence exceeds its share of right predictions by more than ``tolerated``, a number in [0, 0.5). While
    the model is calibrated, false alarms are at least ``run_length`` trials apart on average. Trials need no
    weights, because sampling depends on the probability alone. Raises :class:`~crisol.errors.InputError` for
    a probability or outcome outside 0..1, arrays of different lengths, or a ``tolerated`` out of range.
    """
    p = _within("probability", probabilities, 0.0, 1.0)
    y = _within("outcome", outcomes, 0.0, 1.0)
    if p.shape != y.shape:
        raise InputError(f"{p.size} probabilities and {y.size} outcomes")
    if not 0.0 <= tolerated < 0.5:
        raise InputError(f"tolerated is {tolerated}, not within [0, 0.5)")
    bias = y - p
    overconfidence = np.where(p >= 0.5, -bias, bias) - tolerated
    gains = np.column_stack([bias, -bias, overconfidence])
    return _watch((gains[:, :, None] * _BETS).reshape(p.size, -1), run_length)


def _watch(gains: NDArray[np.float64], run_length: float) -> Alarm:
    """Return the alarm of the mean of several CUSUMs of e-values (Shin, Ramdas & Rinaldo 2024).

    ``gains`` has a row for each trial and a column for each CUSUM. An entry is the gain of one bet, as a
    share of the capital, above -1. The expected gain must be at most 0 while nothing drifts; false alarms are
    then at least ``run_length`` trials apart on average.
    """
    steps = np.log1p(gains)
    evidence = np.empty(len(steps))
    sums = np.zeros(steps.shape[1])
    since = np.zeros(steps.shape[1], dtype=np.intp)
    raised_at = began_at = None
    for i, step in enumerate(steps):
        restart = sums < 0.0
        since[restart] = i
        sums = np.where(restart, 0.0, sums) + step
        evidence[i] = float(np.exp(sums).mean())
        if raised_at is None and evidence[i] >= run_length:
            raised_at = i
            began_at = int(since[sums.argmax()])
    return Alarm(evidence, run_length, raised_at, began_at)


def psi(reference: ArrayLike, current: ArrayLike, bins: int = 10) -> float:
    """Return the population stability index of the sample ``current`` against the sample ``reference``.

    The samples are one-dimensional. The quantiles of ``reference`` divide the real line into ``bins`` bins,
    or fewer if some quantiles are equal. The index is the sum of (b - a) ln(b / a) over the bins, where a is
    the share of ``reference`` in a bin and b that of ``current``. In both samples 0.5 is added to the count
    of each bin, so that the index is finite. An index of 0 means equal distributions; by convention, 0.1 is a
    change and 0.25 a large change. Raises :class:`~crisol.errors.InputError` for an empty sample.
    """
    old, new = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if not old.size or not new.size:
        raise InputError("the population stability index needs values on both sides")
    edges = np.unique(np.quantile(old, np.linspace(0.0, 1.0, bins + 1)[1:-1]))

    def shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)
        # Half a value is added to each bin; with an empty bin the distance would be infinite.
        return np.asarray((counts + 0.5) / (values.size + 0.5 * (edges.size + 1)), dtype=np.float64)

    a, b = shares(old), shares(new)
    return float(((b - a) * np.log(b / a)).sum())


def input_drift(reference: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Compare the distributions of the numeric columns that two tables have in common.

    ``reference`` is the earlier table, ``current`` the later one. Returns a table with one row for each
    common column, the largest psi first. Its columns are feature (the name), psi (population stability index,
    0 for equal distributions), ks (statistic of the two-sample Kolmogorov-Smirnov test), p_value (of that
    test), and adjusted_p_value (by Holm's method). Raises :class:`~crisol.errors.InputError` if no column is
    numeric in both tables, if a table has no rows, and for a value in a common column that is missing or not
    finite.
    """
    import pandas as pd  # noqa: PLC0415 - the service watches rungs, and does without both
    from scipy.stats import ks_2samp  # noqa: PLC0415 - see above

    numeric = set(current.select_dtypes("number").columns)
    names = [name for name in reference.select_dtypes("number").columns if name in numeric]
    if not names:
        raise InputError("reference and current have no numeric column in common")
    if reference.empty or current.empty:
        raise InputError(f"reference has {len(reference)} rows and current {len(current)}; both need one")
    rows = []
    for name in names:
        old, new = (table[name].to_numpy(dtype=float, na_value=np.nan) for table in (reference, current))
        if not (np.isfinite(old).all() and np.isfinite(new).all()):
            raise InputError(f"column {name!r} has a value that is missing or not finite")
        test = ks_2samp(old, new)
        rows.append(
            {"feature": str(name), "psi": psi(old, new), "ks": test.statistic, "p_value": test.pvalue}
        )
    table = pd.DataFrame(rows)
    order = table["p_value"].to_numpy().argsort()
    adjusted = np.maximum.accumulate(table["p_value"].to_numpy()[order] * np.arange(len(rows), 0, -1))
    table.loc[order, "adjusted_p_value"] = np.minimum(adjusted, 1.0)
    return table.sort_values("psi", ascending=False, ignore_index=True)


def _within(name: str, values: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if array.ndim != 1 or bad.any():
        where = int(np.flatnonzero(bad)[0]) if bad.any() else 0
        raise InputError(
            f"{name} {where} is {array.flat[where] if array.size else 'missing'}, not within {low}..{high}"
        )
    return array
