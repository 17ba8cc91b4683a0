"""When a model may be trusted without a wargame: thresholds with a guarantee over vulnerabilities.

Learn-then-Test (Angelopoulos et al., 2021) with a betting test of the mean (Waudby-Smith and Ramdas, 2023) on one
loss a vulnerability, since patches of one vulnerability are not independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "Rate", "Threshold", "choose_threshold", "operating_point", "p_value"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

GRID: tuple[float, ...] = (0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.87, 0.84, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55)
"""Thresholds on the probability of the class that is believed, strictest first."""

_LEARN = 1 / 3
_BETS = np.linspace(0.05, 0.95, 19)
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % Wilson interval, in which each vulnerability counts as one observation."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """Accept a patch at ``accept`` or above, reject it at ``reject`` or below, wargame the rest.

    None means that no threshold is supported by the data: every patch on that side is wargamed, and ``reason`` says
    why. With confidence 1 - ``delta`` each, the share of wrong patches among those accepted, and of valid ones among
    those rejected, is at most ``alpha`` when vulnerabilities are drawn alike and then their patches. As what is
    accepted is part of what is skipped, false accepts are then at most ``alpha`` of what is skipped, too. The rates
    are of the patches at hand.
    """

    accept: float | None
    reject: float | None
    reason: str
    alpha: float
    delta: float
    skipped_share: Rate
    false_accept_rate: Rate
    """Share of wrong patches among those accepted without a wargame."""
    false_reject_rate: Rate
    """Share of valid patches among those rejected without a wargame."""


def choose_threshold(
    probability: _Floats,
    label: _Ints,
    groups: NDArray[np.str_],
    *,
    alpha: float = 0.02,
    delta: float = 0.1,
    seed: int,
) -> Threshold:
    """Choose thresholds on out-of-fold probabilities, or abstain where the data are too few or too hard.

    A third of the vulnerabilities, drawn by ``seed``, say where to start and how to bet; the others test, from there
    to ever looser thresholds until the first that fails. Raises ValueError for ``alpha`` or ``delta`` outside (0, 1).
    """
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise ValueError("alpha and delta lie between 0 and 1")
    names, group = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    cut = int(len(names) * _LEARN)
    learn, test = order[:cut], order[cut:]
    accept, why = _certify(probability, 1 - label, group, (learn, test), (alpha, delta))
    distrust, why_not = _certify(1 - probability, label, group, (learn, test), (alpha, delta))
    reject = None if distrust is None else 1 - distrust
    skipped, false_accepts, false_rejects = operating_point(probability, label, groups, accept, reject)
    return Threshold(
        accept,
        reject,
        f"accept and reject: {why}" if why == why_not else f"accept: {why}; reject: {why_not}",
        alpha,
        delta,
        skipped,
        false_accepts,
        false_rejects,
    )


def operating_point(
    probability: _Floats,
    label: _Ints,
    groups: NDArray[np.str_],
    accept: float | None,
    reject: float | None,
) -> tuple[Rate, Rate, Rate]:
    """Return the skipped share, the false-accept rate and the false-reject rate at given thresholds."""
    nothing = np.zeros(len(label), dtype=bool)
    accepted = nothing if accept is None else probability >= accept
    rejected = nothing if reject is None else probability <= reject
    return (
        _rate(accepted | rejected, np.ones(len(label), dtype=bool), groups),
        _rate(label == 0, accepted, groups),
        _rate(label == 1, rejected, groups),
    )


def p_value(loss: _Floats, alpha: float, bet: float) -> float:
    """Return a p-value for "the mean loss exceeds ``alpha``", for independent losses in [0, 1] in any given order.

    One over the largest capital of a gambler who stakes the share ``bet`` in [0, 1) against every loss; by Ville's
    inequality that is valid at any time.
    """
    capital = np.cumsum(np.log1p(bet / (1 - alpha) * (alpha - loss)))
    return float(min(1.0, math.exp(-max(0.0, capital.max(initial=0.0)))))


def _certify(
    belief: _Floats, wrong: _Ints, group: _Ints, split: tuple[_Ints, _Ints], level: tuple[float, float]
) -> tuple[float | None, str]:
    alpha, delta = level
    learn, test = split
    least = math.ceil(math.log(1 / delta) / -math.log(1 - alpha))
    if len(test) < least:
        return None, (
            f"{len(test)} vulnerabilities are left for the test, and no fewer than {least} can show "
            f"{alpha:.1%} with confidence {1 - delta:.0%} even without an error"
        )
    best: tuple[float, int, float] = (0.0, -1, 0.0)
    for position, bound in enumerate(GRID):
        loss = _losses(belief >= bound, wrong, group, alpha)[learn]
        for bet in _BETS:
            stake = bet / (1 - alpha)
            # Half a vulnerability of pure errors keeps a lucky third from staking everything.
            growth = np.log1p(stake * (alpha - loss)).sum() + 0.5 * math.log1p(-bet)
            if growth > best[0]:
                best = (float(growth), position, float(bet))
    _, start, bet = best
    if start < 0:
        return None, "at no threshold are errors rare enough on the vulnerabilities that were to choose one"
    chosen = None
    for bound in GRID[start:]:
        if p_value(_losses(belief >= bound, wrong, group, alpha)[test], alpha, bet) > delta:
            break
        chosen = bound
    if chosen is None:
        return None, f"at {GRID[start]:g} errors are not shown to be at most {alpha:.1%}: too few or too many"
    return chosen, f"errors at {chosen:g} are at most {alpha:.1%} with confidence {1 - delta:.0%}"


def _losses(trusted: NDArray[np.bool_], wrong: _Ints, group: _Ints, alpha: float) -> _Floats:
    """Return one loss in [0, 1] a vulnerability whose mean is at most alpha just where the share of errors is."""
    size = np.bincount(group)
    errors = np.bincount(group, weights=trusted * wrong) / size
    return np.asarray(errors + alpha * (1 - np.bincount(group, weights=trusted) / size), dtype=np.float64)


def _rate(event: NDArray[np.bool_], among: NDArray[np.bool_], groups: NDArray[np.str_]) -> Rate:
    if not among.any():
        return Rate(0.0, 0.0, 1.0)
    share = float(event[among].mean())
    n = len(np.unique(groups[among]))
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n)) / (1 + _Z**2 / n)
    return Rate(share, max(0.0, middle - half), min(1.0, middle + half))
