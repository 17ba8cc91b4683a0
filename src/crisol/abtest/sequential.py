"""Confidence sequences: confidence intervals after each trial, all of which hold at once.

A 95 % interval misses the true value in 5 % of cases if it is read once, at a time that was chosen
beforehand. A reader who looks every hour sees an interval that misses it in far more than 5 % of cases. With
a 95 % confidence *sequence* a reader may look as often as they like: in at least 95 % of cases all of its
intervals contain the true value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crisol.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ConfidenceSequence", "asymptotic_sequence", "betting_sequence"]

_CHUNK = 512
_TRUNCATION = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceSequence:
    """A running weighted mean after each of n trials, with bounds; three arrays of shape (n,).

    ``estimate`` is the mean of the trials so far, between the bounds ``low`` and ``high``. All n intervals
    cover the true mean at once, with the probability ``level`` of the function that made them. An experiment
    may therefore be stopped as soon as an interval answers its question.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def broken_at(self) -> int | None:
        """The 0-based index of the first trial whose bounds are NaN; None if there is none.

        The bounds are NaN as soon as no constant mean fits the trials so far: the true mean has then changed.
        """
        broken = np.flatnonzero(np.isnan(self.low))
        return int(broken[0]) if broken.size else None


def betting_sequence(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    max_weight: float | None = None,
    level: float = 0.95,
    grid: int = 1001,
) -> ConfidenceSequence:
    """Return the confidence sequence of the weighted mean of ``values``.

    ``values``, shape (n,), are in the order of time and lie between ``low`` and ``high``. ``weights``, shape
    (n,), are 1 / sampling probability; None means all 1. ``max_weight`` is the largest possible weight; None
    means the largest in ``weights``. ``level`` is the probability that all bounds together cover the true
    mean. ``grid`` is the number of candidate means between ``low`` and ``high``; the bounds are accurate to
    one step of it.

    The method is the hedged capital process of Waudby-Smith & Ramdas (2024), with weights as in Waudby-Smith
    et al. (2024). Raises :class:`~crisol.errors.InputError`, which names the first wrong value, for a value
    outside ``low`` and ``high``, or a weight that is not positive or above ``max_weight``.
    """
    x, w = _checked(values, weights, low, high)
    bound = float(w.max(initial=1.0)) if max_weight is None else max_weight
    if w.size and w.max() > bound:
        raise InputError(f"weight {w.max()} exceeds max_weight {bound}: give the design's 1 / rate")
    share = w / bound
    bets = _bets(x, share, 1.0 - level)
    candidates = np.linspace(low, high, grid)
    up, down = np.zeros(grid), np.zeros(grid)
    lows, highs = np.full(x.size, np.nan), np.full(x.size, np.nan)
    step = candidates[1] - candidates[0]
    limit = np.log(2.0 / (1.0 - level))
    alive = np.arange(grid)
    for start in range(0, x.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, x.size))
        m = candidates[alive]
        gain = share[part, None] * (x[part, None] - m)
        rich_up = up[alive] + np.cumsum(np.log1p(_capped(bets[part, None], m - low) * gain), axis=0)
        rich_down = down[alive] + np.cumsum(np.log1p(-_capped(bets[part, None], high - m) * gain), axis=0)
        out = np.logical_or.accumulate(np.maximum(rich_up, rich_down) >= limit, axis=0)
        some = ~out.all(axis=1)
        first, last = (~out).argmax(axis=1), m.size - 1 - (~out)[:, ::-1].argmax(axis=1)
        # The bounds lie between the last excluded and the first included candidate; the excluded one is
        # taken.
        lows[part] = np.where(some, np.maximum(low, m[first] - step), np.nan)
        highs[part] = np.where(some, np.minimum(high, m[last] + step), np.nan)
        up[alive], down[alive] = rich_up[-1], rich_down[-1]
        alive = alive[~out[-1]]
        if not alive.size:
            break
    return ConfidenceSequence(np.cumsum(w * x) / np.maximum(np.cumsum(w), 1e-300), lows, highs)


def asymptotic_sequence(
    values: ArrayLike, weights: ArrayLike | None = None, *, level: float = 0.95, tuned_for: int = 500
) -> ConfidenceSequence:
    """Return an asymptotic confidence sequence of a running weighted mean; the true mean may change.

    ``values``, shape (n,), are any finite numbers, in the order of time. ``weights``, shape (n,), are 1 /
    sampling probability; None means all 1. ``level`` is the probability, in the limit of many trials, that
    all bounds together cover the true running mean. The bounds are narrowest after about ``tuned_for``
    trials, and NaN before the second.

    The method is the normal-mixture boundary of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024). Raises
    :class:`~crisol.errors.InputError`, which names the first wrong value, for values that are not finite or
    weights that are not positive.
    """
    x, w = _checked(values, weights, -np.inf, np.inf)
    n = np.arange(1, x.size + 1)
    total = np.cumsum(w)
    mean = np.cumsum(w * x) / np.maximum(total, 1e-300)
    squares = np.cumsum(w**2 * x**2) - 2.0 * mean * np.cumsum(w**2 * x) + mean**2 * np.cumsum(w**2)
    variance = np.maximum(squares, 0.0) * n / np.maximum(total, 1e-300) ** 2
    alpha = 1.0 - level
    rho = np.sqrt((-2.0 * np.log(alpha) + np.log(1.0 - 2.0 * np.log(alpha))) / tuned_for)
    spread = n * rho**2 + 1.0
    half = np.sqrt(variance * 2.0 * spread / (n**2 * rho**2) * np.log(np.sqrt(spread) / alpha))
    half = np.where(n > 1, half, np.nan)
    return ConfidenceSequence(mean, mean - half, mean + half)


def _capped(bets: NDArray[np.float64], room: NDArray[np.float64]) -> NDArray[np.float64]:
    # A bet beyond 1 / room could lose more than everything.
    return np.minimum(bets, _TRUNCATION / np.maximum(room, 1e-12))


def _bets(x: NDArray[np.float64], share: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the bet on each trial, which depends on the earlier trials alone; the bets are not capped yet.

    The bets are the "predictable plug-in" of Waudby-Smith & Ramdas (2024). ``share`` is each trial's weight
    divided by the largest possible weight; ``alpha`` is 1 - level.
    """
    t = np.arange(1, x.size + 1)
    middle = (0.5 + np.cumsum(share * x)) / (1.0 + np.cumsum(share))
    variance = (0.25 + np.cumsum((share * (x - middle)) ** 2)) / (t + 1.0)
    before = np.concatenate([[0.25], variance[:-1]])
    bets: NDArray[np.float64] = np.sqrt(2.0 * np.log(2.0 / alpha) / (before * t * np.log(t + 1.0)))
    return bets


def _checked(
    values: ArrayLike, weights: ArrayLike | None, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.asarray(values, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or x.shape != w.shape:
        raise InputError(f"{x.shape} values and {w.shape} weights: give two sequences of one length")
    bad = ~(np.isfinite(x) & (x >= low) & (x <= high) & np.isfinite(w) & (w > 0))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise InputError(f"trial {i}: value {x[i]} with weight {w[i]}; values are within {low}..{high}")
    return x, w
