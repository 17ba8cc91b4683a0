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
    """The sampling design of an A/B test. ``rate`` and ``unsure`` are shares, 0 to 1.

    The share ``unsure`` of the patches is always wargamed, because the model may not decide them; the others
    are wargamed with probability ``rate``. ``per_day`` patches arrive a day; one wargame takes
    ``wargame_seconds``. Raises :class:`~crisol.errors.ExperimentError` for a share out of range, a rate of 0
    unless all are unsure, or no arrivals.
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
        if not self.per_day > 0.0:
            raise ExperimentError(f"per_day is {self.per_day}: nothing would ever arrive")

    @property
    def wargamed(self) -> float:
        """The share of the arriving patches that is wargamed, 0 to 1."""
        return self.unsure + (1.0 - self.unsure) * self.rate

    @property
    def patches_per_trial(self) -> float:
        """How many patches must arrive for as much information as one trial of weight 1 gives.

        This is the mean weight of the sampled trials, the design effect of Kish (1965).
        """
        return self.unsure + (1.0 - self.unsure) / self.rate if self.rate else 1.0


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """The cost of answering a ``question``, a sentence for people.

    The answer needs the information of ``effective_trials`` trials of weight 1. For that, ``patches`` must
    arrive, which takes ``days``; ``wargames`` of them are wargamed, which takes ``wargame_hours`` in all.
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
    """Plan the trials for one question: detect a ``difference`` in accuracy, or know a share to ± ``margin``.

    ``design`` says which patches are wargamed. ``difference`` is between two arms, which disagree in being
    right on the share ``discordance`` of the patches; ``power`` is the probability of detecting it (see
    :func:`pairs_needed`). ``expected`` is the share that is estimated (see :func:`trials_for_margin`).
    ``level`` is the confidence level of either question. Raises :class:`~crisol.errors.ExperimentError`
    unless exactly one of ``difference`` and ``margin`` is given, and for a value out of range.
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
    """Return the pairs with which McNemar's test detects ``difference`` (Connor 1987, two-sided).

    ``discordance`` is the share of patches on which exactly one arm is right, ``difference`` that of the
    first arm minus that of the second; ``level`` is 1 - alpha and ``power`` 1 - beta. Raises
    :class:`~crisol.errors.ExperimentError` unless 0 < abs(difference) <= discordance <= 1.

    >>> pairs_needed(0.05, 0.10)
    312
    """
    _check_difference(difference, discordance)
    _check_power(level, power)
    return math.ceil(_connor(abs(difference), discordance, level, power))


def detectable_difference(
    pairs: float, discordance: float, *, level: float = 0.95, power: float = 0.80
) -> float:
    """Return the smallest difference in accuracy that this many pairs detect; NaN where they detect none.

    ``pairs`` is the number of patches that both arms predict. The function is the inverse of
    :func:`pairs_needed`; ``discordance``, ``level``, ``power`` and the errors are the same.
    """
    _check_difference(discordance, discordance)
    _check_power(level, power)
    if _connor(discordance, discordance, level, power) > pairs:
        return math.nan
    return float(
        brentq(lambda d: _connor(d, discordance, level, power) - pairs, 1e-9, discordance, xtol=1e-12)
    )


def trials_for_margin(margin: float, expected: float, *, level: float = 0.95) -> int:
    """Return the number of trials of weight 1 after which Wilson's interval of a share is ± ``margin`` wide.

    ``expected`` is the share, 0 to 1, ``level`` the coverage. Raises :class:`~crisol.errors.ExperimentError`
    for a margin outside (0, 0.5) or a share out of range.

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
