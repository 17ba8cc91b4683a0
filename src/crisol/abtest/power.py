"""Plan sample sizes: how many patches must arrive before a question can be answered."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.stats import norm

from crisol.errors import ExperimentError

__all__ = ["Design", "TrialPlan", "detectable_difference", "pairs_needed", "plan", "trials_for_margin"]


@dataclass(frozen=True, slots=True)
class Design:
    """The sampling of an A/B test, and its costs, for the planning of sample sizes.

    Of the patches that arrive, the model is unsure of the share ``unsure``, 0 to 1; these are always
    wargamed. Each other patch is wargamed with the probability ``rate``, 0 to 1. ``per_day`` is the number of
    patches that arrive in a day, ``wargame_seconds`` the duration of one wargame. Raises
    :class:`~crisol.errors.ExperimentError` for values out of range, and for a ``rate`` of 0 unless ``unsure``
    is 1.
    """

    rate: float
    unsure: float = 0.0
    per_day: float = 100.0
    wargame_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rate", "unsure"):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0:
                raise ExperimentError(f"{name} is {share}, not within 0..1")
        if self.rate == 0.0 and self.unsure < 1.0:
            raise ExperimentError("rate is 0: patches that the model is sure of would never be checked")
        if not 0.0 < self.per_day < math.inf:
            raise ExperimentError(f"per_day is {self.per_day}, not a positive number of patches")
        if not 0.0 <= self.wargame_seconds < math.inf:
            raise ExperimentError(f"wargame_seconds is {self.wargame_seconds}, not a duration")

    @property
    def wargamed(self) -> float:
        """The share of the arriving patches that is wargamed, 0 to 1."""
        return self.unsure + (1.0 - self.unsure) * self.rate

    @property
    def patches_per_trial(self) -> float:
        """The number of arriving patches that give as much information as one trial of weight 1.

        It is the mean of 1 / sampling probability over the arriving patches. The number of arriving patches
        divided by it is the effective sample size of Kish (1965).
        """
        return self.unsure + (1.0 - self.unsure) / self.rate if self.rate else 1.0


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """The sample size that answers a question about models, and the wargames that it takes.

    ``question`` is a sentence for people. ``effective_trials`` is the sample size, in trials of weight 1.
    Because not every patch is sampled, more patches must arrive: ``patches`` is their number, and ``days``
    the number of days in which they arrive. ``wargames`` is the number of wargames for these patches,
    ``wargame_hours`` their duration in all.
    """

    question: str
    effective_trials: int
    patches: int
    wargames: int
    days: float
    wargame_hours: float


def plan(
    design: Design,
    *,
    difference: float | None = None,
    discordance: float = 0.10,
    margin: float | None = None,
    expected: float = 0.90,
    level: float = 0.95,
    power: float = 0.80,
) -> TrialPlan:
    """Return the sample size to detect a difference between two arms, or else to estimate a share.

    ``design`` says which patches are wargamed. To detect a difference give ``difference``, the smallest
    difference in accuracy to detect; ``power`` is the probability of detecting it, and ``discordance`` the
    share of the patches on which exactly one arm is right. To estimate a share of the patches, such as the
    accuracy, give ``margin``, the half-width of its interval; ``expected`` is a guess at the share. ``level``
    is the confidence level. Raises :class:`~crisol.errors.ExperimentError` for a value out of range, and
    unless exactly one of ``difference`` and ``margin`` is given.
    """
    if (difference is None) == (margin is None):
        raise ExperimentError("give either difference or margin: a plan answers one question")
    if difference is not None:
        needed = pairs_needed(difference, discordance, level=level, power=power)
        question = f"detect a difference of {difference:g} between two arms with power {power:g}"
    else:
        assert margin is not None
        needed = trials_for_margin(margin, expected, level=level)
        question = f"know a share near {expected:g} to within {margin:g}"
    patches = math.ceil(needed * design.patches_per_trial)
    wargames = math.ceil(patches * design.wargamed)
    hours = wargames * design.wargame_seconds / 3600.0
    return TrialPlan(question, needed, patches, wargames, patches / design.per_day, hours)


def pairs_needed(difference: float, discordance: float, *, level: float = 0.95, power: float = 0.80) -> int:
    """Return how many patches two arms must both predict, so that McNemar's test detects ``difference``.

    ``difference`` is the first arm's accuracy minus the second's. ``discordance`` is the share of the patches
    on which exactly one arm is right. ``level`` is 1 - alpha and ``power`` 1 - beta of the two-sided test
    (Connor 1987). Raises :class:`~crisol.errors.ExperimentError` unless 0 < abs(difference) <= discordance <=
    1, and for a ``level`` or ``power`` out of range.

    >>> pairs_needed(0.05, 0.10)
    312
    """
    _check_difference(difference, discordance)
    _check_power(level, power)
    return math.ceil(_connor(abs(difference), discordance, level, power))


def detectable_difference(
    pairs: float, discordance: float, *, level: float = 0.95, power: float = 0.80
) -> float:
    """Return the smallest difference in accuracy that McNemar's test detects; NaN if it detects none.

    ``pairs`` is the number of patches that both arms predict. ``discordance`` is the share of them on which
    exactly one arm is right. ``level`` is 1 - alpha and ``power`` 1 - beta of the two-sided test (Connor
    1987). Raises :class:`~crisol.errors.ExperimentError` for values out of range.
    """
    _check_difference(discordance, discordance)
    _check_power(level, power)
    if _connor(discordance, discordance, level, power) > pairs:
        return math.nan
    return float(
        brentq(lambda d: _connor(d, discordance, level, power) - pairs, 1e-9, discordance, xtol=1e-12)
    )


def trials_for_margin(margin: float, expected: float, *, level: float = 0.95) -> int:
    """Return how many trials of weight 1 are needed to estimate a share, such as the accuracy.

    ``margin`` is the half-width of Wilson's interval, and ``level`` the interval's coverage. ``expected`` is
    a guess at the share, 0 to 1. Raises :class:`~crisol.errors.ExperimentError` for a margin outside (0,
    0.5), or another value out of range.

    >>> trials_for_margin(0.05, 0.5)
    381
    """
    if not 0.0 < margin < 0.5 or not 0.0 <= expected <= 1.0:
        raise ExperimentError(
            f"margin is {margin} and expected {expected}: give 0 < margin < 0.5 and a share"
        )
    _check_power(level, 0.5)
    z = float(norm.ppf((1.0 + level) / 2.0))

    def excess(n: float) -> float:
        return (
            z / (1.0 + z * z / n) * math.sqrt(expected * (1.0 - expected) / n + z * z / (4 * n * n)) - margin
        )

    low, high = 1e-6, 1.0
    while excess(high) > 0.0:
        high *= 2.0
    return (
        math.ceil(brentq(excess, max(low, high / 2.0) if excess(high / 2.0) > 0.0 else low, high))
        if excess(low) > 0.0
        else 1
    )


def _connor(difference: float, discordance: float, level: float, power: float) -> float:
    a, b = float(norm.ppf((1.0 + level) / 2.0)), float(norm.ppf(power))
    root = math.sqrt(max(discordance - difference**2, 0.0))
    return ((a * math.sqrt(discordance) + b * root) / difference) ** 2


def _check_difference(difference: float, discordance: float) -> None:
    if not 0.0 < abs(difference) <= discordance <= 1.0:
        raise ExperimentError(
            f"difference {difference} with discordance {discordance}: arms cannot differ by more than the "
            "share of patches on which exactly one is right; give 0 < difference <= discordance <= 1"
        )


def _check_power(level: float, power: float) -> None:
    if not 0.5 < level < 1.0 or not 0.0 < power < 1.0:
        raise ExperimentError(f"level {level} and power {power}: give 0.5 < level < 1 and 0 < power < 1")
