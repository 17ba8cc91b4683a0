"""Compare two arms on the same patches: which is right more often, and could the difference be chance?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest, norm

from crisol.abtest.sequential import ConfidenceSequence, betting_sequence
from crisol.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from crisol.records import Trial

__all__ = ["Comparison", "Pairs", "compare", "mcnemar", "pair", "sequence"]

EXACT_BELOW = 25
"""Number of discordant pairs below which the exact test is used."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The patches that both arms of a comparison predicted, as arrays with one entry for each patch.

    The patches are ordered by the time of the first arm's trial. ``difference`` is 1 if only the first arm
    was right, -1 if only the second was, and 0 if both were right or both wrong. ``weight`` is 1 / sampling
    probability of the patch. ``group`` is the number of the patch's vulnerability, from 0.
    """

    difference: NDArray[np.float64]
    weight: NDArray[np.float64]
    group: NDArray[np.intp]

    def __len__(self) -> int:
        return self.difference.size


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference in accuracy between two arms, on the patches that both predicted; see :func:`compare`.

    ``first`` and ``second`` are the names of the arms. ``n`` is the number of patches, ``vulnerabilities``
    the number of vulnerabilities to which they belong.

    - ``difference``: the accuracy of the first arm minus that of the second. Each patch weighs 1 / its
      sampling probability, so that the difference holds for all patches that arrived.
    - ``low``, ``high``: the bootstrap interval of the difference, valid if the trials are analysed once.
    - ``always_low``, ``always_high``: an interval of the difference that stays valid if the analysis is
      repeated as trials come in; it assumes that patches are independent. Both are nan if the difference
      changed over time, so that no constant difference fits.
    - ``only_first_right``, ``only_second_right``: the numbers of patches that only the first arm, and only
      the second arm, predicted right.
    - ``p_value``: the p-value of McNemar's two-sided test of these two numbers. ``method``: how it was
      computed, ``exact`` or ``asymptotic``.
    - ``weighted_p_value``: the p-value of a normal test whether the weighted difference is 0.

    Each interval covers the true difference with the probability ``level`` of :func:`compare`.
    """

    first: str
    second: str
    n: int
    vulnerabilities: int
    only_first_right: int
    only_second_right: int
    p_value: float
    method: str
    weighted_p_value: float
    difference: float
    low: float
    high: float
    always_low: float
    always_high: float


def pair(first: Iterable[Trial], second: Iterable[Trial]) -> Pairs:
    """Pair the trials of two arms by patch, and return the patches that both arms predicted.

    ``first`` and ``second`` are the trials of one arm each, in any order. Two trials are paired if they have
    the same experiment, patch and vulnerability. Inconclusive trials are left out. Without a common patch the
    arrays of the result are empty. Raises :class:`~crisol.errors.InputError` if an arm has two trials of one
    patch (by two model versions), or if the two trials of a pair have different verdicts.
    """
    firsts, seconds = _by_patch(first), _by_patch(second)
    matched = sorted(firsts.keys() & seconds.keys(), key=lambda key: (firsts[key].created_at, firsts[key].id))
    for key in matched:
        if firsts[key].outcome is not seconds[key].outcome:
            raise InputError(
                f"patch {key[1]!r}: one arm's trial says {firsts[key].outcome}, {seconds[key].outcome} the "
                "other's"
            )
    groups = {name: i for i, name in enumerate(dict.fromkeys(key[2] for key in matched))}
    difference = [float(bool(firsts[key].correct)) - float(bool(seconds[key].correct)) for key in matched]
    return Pairs(
        np.array(difference, dtype=np.float64),
        # The arms' shares are constant, so they cancel in the ratio.
        np.array([1.0 / firsts[key].sampling_probability for key in matched], dtype=np.float64),
        np.array([groups[key[2]] for key in matched], dtype=np.intp),
    )


def _by_patch(trials: Iterable[Trial]) -> dict[tuple[str, str, str], Trial]:
    trials_by_patch: dict[tuple[str, str, str], Trial] = {}
    for trial in trials:
        if trial.correct is None:
            continue
        key = (trial.experiment, trial.patch, trial.vulnerability)
        if key in trials_by_patch:
            raise InputError(f"arm {trial.arm!r} holds patch {trial.patch!r} twice: choose one model version")
        trials_by_patch[key] = trial
    return trials_by_patch


def mcnemar(only_first: int, only_second: int) -> tuple[float, str]:
    """Return the two-sided p-value of McNemar's test and its method, ``exact`` or ``asymptotic``.

    ``only_first`` counts the patches on which only the first arm was right, ``only_second`` those on which
    only the second was. If the sum of both counts is below 25, the method is ``exact`` (a binomial test),
    otherwise ``asymptotic`` (a normal test without continuity correction). If both counts are 0, the p-value
    is 1.
    """
    discordant = only_first + only_second
    if discordant < EXACT_BELOW:
        p = binomtest(only_first, discordant).pvalue if discordant else 1.0
        return float(p), "exact"
    return float(2.0 * norm.sf(abs(only_first - only_second) / math.sqrt(discordant))), "asymptotic"


def sequence(pairs: Pairs, level: float = 0.95) -> ConfidenceSequence:
    """Return the confidence sequence of the weighted difference in accuracy, first arm minus second.

    ``pairs`` are the patches that both arms predicted; without any the sequence is empty. The sequence has
    two bounds after each patch; ``level`` is the probability that all of them cover the true difference.
    """
    return betting_sequence(pairs.difference, pairs.weight, low=-1.0, high=1.0, level=level)


def compare(
    first: str, second: str, pairs: Pairs, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Comparison:
    """Return the accuracy of the arm ``first`` minus that of the arm ``second``, with intervals and p-values.

    ``pairs`` are the patches that both arms predicted. ``level`` is the probability with which an interval
    covers the true difference. The bootstrap draws ``resamples`` samples; the same ``seed`` gives the same
    interval. Raises :class:`~crisol.errors.InputError` if ``pairs`` is empty.
    """
    if not len(pairs):
        raise InputError(f"arms {first!r} and {second!r} have no patch in common: run them in one experiment")
    d, w = pairs.difference, pairs.weight
    b, c = int((d > 0).sum()), int((d < 0).sum())
    p_value, method = mcnemar(b, c)
    spread = float(np.sqrt((w**2 * d**2).sum()))
    low, high = _bootstrap_interval(pairs, level, resamples, seed)
    always = sequence(pairs, level)
    return Comparison(
        first=first,
        second=second,
        n=len(pairs),
        vulnerabilities=int(pairs.group.max()) + 1,
        only_first_right=b,
        only_second_right=c,
        p_value=p_value,
        method=method,
        weighted_p_value=float(2.0 * norm.sf(abs(float((w * d).sum())) / spread)) if spread else 1.0,
        difference=float((w * d).sum() / w.sum()),
        low=low,
        high=high,
        always_low=float(always.low[-1]),
        always_high=float(always.high[-1]),
    )


def _bootstrap_interval(pairs: Pairs, level: float, resamples: int, seed: int) -> tuple[float, float]:
    groups = int(pairs.group.max()) + 1
    numerator = np.bincount(pairs.group, pairs.weight * pairs.difference, groups)
    denominator = np.bincount(pairs.group, pairs.weight, groups)
    rng = np.random.default_rng(seed)
    # Whole vulnerabilities are drawn, because the patches of one depend on each other.
    counts = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples)
    differences = (counts @ numerator) / (counts @ denominator)
    low, high = np.quantile(differences, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
