"""Test for a sample ratio mismatch: whether the arms got their planned shares of the patches.

A sample ratio mismatch means that trials were lost on the way, and not at random. No estimate can
be believed until the cause is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import gammaln
from scipy.stats import chisquare

from crisol.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Ratio", "sample_ratio"]

_PRIOR = 1000.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The test for a sample ratio mismatch: whether each arm has its planned share of the trials.

    ``counted`` maps the name of each arm to its number of trials, ``expected`` to the planned number.
    ``p_value`` is the p-value of the chi-squared test, valid if the test is made once. ``always_p_value``
    stays valid if the test is repeated as trials come in.
    """

    counted: dict[str, int]
    expected: dict[str, float]
    p_value: float
    always_p_value: float

    @property
    def mismatch(self) -> bool:
        """Whether ``always_p_value`` is below 0.001: some arm has lost trials, or got too many."""
        return self.always_p_value < 0.001


def sample_ratio(counted: Mapping[str, int], shares: Mapping[str, float]) -> Ratio:
    """Test for a sample ratio mismatch: whether each arm has its planned share of the trials.

    ``counted`` maps the name of each arm to its number of trials; a missing arm has 0. ``shares`` maps the
    name of each arm to its planned share; shares are relative and need not add up to 1. In the result,
    ``p_value`` is that of a chi-squared test. ``always_p_value`` is the inverse of a Bayes factor with a
    Dirichlet prior around the planned shares (Lindon & Malek 2022). Without trials, or with a single arm,
    both p-values are 1. Raises :class:`~crisol.errors.InputError` for an arm without a share, a share that is
    not positive, a negative count, or empty ``shares``.
    """
    if unknown := counted.keys() - shares.keys():
        raise InputError(f"arms {sorted(unknown)} have no share; there are: {', '.join(sorted(shares))}")
    if (
        not shares
        or any(not share > 0.0 for share in shares.values())
        or any(n < 0 for n in counted.values())
    ):
        raise InputError(
            f"counts {dict(counted)} with shares {dict(shares)}: shares are above 0, counts not below"
        )
    total_share = sum(shares.values())
    due = {arm: share / total_share for arm, share in shares.items()}
    counts = {arm: counted.get(arm, 0) for arm in shares}
    n = sum(counts.values())
    if n == 0 or len(shares) == 1:
        return Ratio(counts, {arm: n * due[arm] for arm in shares}, 1.0, 1.0)
    expected = {arm: n * due[arm] for arm in shares}
    p_value = float(chisquare(list(counts.values()), list(expected.values())).pvalue)
    log_factor = float(gammaln(_PRIOR) - gammaln(_PRIOR + n))
    for arm, count in counts.items():
        prior = _PRIOR * due[arm]
        log_factor += float(gammaln(prior + count) - gammaln(prior)) - count * math.log(due[arm])
    return Ratio(counts, expected, p_value, math.exp(min(0.0, -log_factor)))
