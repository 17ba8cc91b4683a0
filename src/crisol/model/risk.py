"""Thresholds for the model with a guarantee over new vulnerabilities.

Learn-then-Test (Angelopoulos et al., 2021) with a betting test of the mean (Waudby-Smith and Ramdas, 2023) on
one loss a vulnerability, since patches of one vulnerability are not independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np
from numpy.typing import NDArray

from crisol.model.intervals import wilson
from crisol.model.policy import Policy

__all__ = ["GRID", "ErrorRate", "RiskGuarantee", "at_hand", "certify", "least", "operating_point", "p_value"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

GRID: tuple[float, ...] = (0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.87, 0.84, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55)
"""Thresholds on the probability of the class that is believed, strictest first."""

_BETS = np.append(np.linspace(0.05, 0.95, 10), (0.97, 0.99))
_FEARED = 0.1


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A share in [0, 1] with the ends ``low`` and ``high`` of its 95 % Wilson interval.

    The interval is that of as many trials as there are vulnerabilities. Without any vulnerability the share
    is 0 and the interval (0, 1).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskGuarantee:
    """A policy of the model, and bounds on its errors with confidence 1 - ``delta`` over new vulnerabilities.

    At most the share ``alpha`` of the accepted patches is wrong, and at most the share ``beta`` of the
    rejected patches is right, both as means over vulnerabilities. A threshold that the data do not support is
    None, and ``policy.reason`` says what is missing.

    The rates are measured on the given patches. ``skipped_share`` is the share of patches decided without a
    wargame. ``false_accept_rate`` is the share of wrong patches among accepted ones, ``false_reject_rate``
    the share of right patches among rejected ones; both are means over the vulnerabilities with such a
    decision.
    """

    policy: Policy
    alpha: float
    beta: float
    delta: float
    skipped_share: ErrorRate
    false_accept_rate: ErrorRate
    """Share of wrong patches among those accepted without a wargame, the mean over vulnerabilities."""
    false_reject_rate: ErrorRate
    """Share of valid patches among those refused without a wargame, the mean over vulnerabilities."""


def certify(
    probability: _Floats,
    label: _Ints,
    groups: NDArray[np.str_],
    *,
    alpha: float = 0.02,
    beta: float = 0.1,
    delta: float = 0.1,
    seed: int,
) -> RiskGuarantee:
    """Return the loosest policy whose error rates are shown to stay within the bounds, with these bounds.

    ``alpha`` bounds the share of wrong patches among accepted ones, ``beta`` the share of right patches among
    rejected ones (means over vulnerabilities), both with confidence 1 - ``delta``. ``probability`` (of valid,
    out of fold), ``label`` (1: right) and ``groups`` (vulnerabilities) have shape (n,). The thresholds of
    :data:`GRID` are tested from the strictest on, until a test fails; if none passes, the policy has None.
    ``seed`` orders the vulnerabilities in the tests. Raises ValueError for a level outside (0, 1).
    """
    if not all(0 < level < 1 for level in (alpha, beta, delta)):
        raise ValueError("alpha, beta and delta lie between 0 and 1")
    names, group = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    accept, why = _certify(probability, 1 - label, (group, order), (alpha, delta))
    distrust, why_not = _certify(1 - probability, label, (group, order), (beta, delta))
    policy = Policy(accept, None if distrust is None else 1 - distrust, f"accept: {why}; reject: {why_not}")
    return RiskGuarantee(policy, alpha, beta, delta, *operating_point(probability, label, groups, policy))


def at_hand(probability: _Floats, label: _Ints, groups: NDArray[np.str_], level: float) -> Policy:
    """Return the loosest policy with at most the share ``level`` of errors on the given patches.

    The share holds for wrong patches among accepted ones and for right patches among rejected ones, as means
    over vulnerabilities (``groups``). ``probability`` (of valid), ``label`` (1: right) and ``groups`` have
    shape (n,). The result is no guarantee for other patches.
    """
    _, group = np.unique(groups, return_inverse=True)
    bounds = []
    for belief, wrong in ((probability, 1 - label), (1 - probability, label)):
        losses = {bound: _losses(belief >= bound, wrong, group) for bound in GRID}
        fitting = [bound for bound, loss in losses.items() if len(loss) and loss.mean() <= level]
        bounds.append(min(fitting, default=None))
    accept, distrust = bounds
    return Policy(
        accept,
        None if distrust is None else 1 - distrust,
        f"errors were at most {level:.1%} on {len(np.unique(group))} vulnerabilities, without a guarantee",
    )


def operating_point(
    probability: _Floats, label: _Ints, groups: NDArray[np.str_], policy: Policy
) -> tuple[ErrorRate, ErrorRate, ErrorRate]:
    """Return the skipped share, the false-accept rate and the false-reject rate of a policy on these patches.

    The skipped share is that of patches decided without a wargame. The false-accept rate is the share of
    wrong patches among accepted ones, the false-reject rate the share of right patches among rejected ones;
    both are means over the vulnerabilities with such a decision. ``probability`` (of valid), ``label`` (1:
    right) and ``groups`` (vulnerabilities) have shape (n,).
    """
    _, group = np.unique(groups, return_inverse=True)
    accepted, rejected = policy.accepts(probability), policy.refuses(probability)
    skipped = float((accepted | rejected).mean()) if len(label) else 0.0
    false_accepts, false_rejects = (
        _rate(float(losses.mean()) if len(losses) else 0.0, len(losses))
        for losses in (_losses(accepted, 1 - label, group), _losses(rejected, label, group))
    )
    return _rate(skipped, len(np.unique(group))), false_accepts, false_rejects


@cache
def least(level: float, delta: float) -> int:
    """Return the fewest vulnerabilities, all without an error, that show an error rate of at most ``level``.

    ``delta`` is 1 minus the confidence.
    """
    return next(n for n in count(1) if p_value(np.zeros(n), level, delta) <= delta)


def p_value(loss: _Floats, level: float, delta: float = 0.1) -> float:
    """Return a p-value for the hypothesis that the mean loss exceeds ``level``.

    ``loss`` (n,) holds independent losses in [0, 1], one for each vulnerability, in random order. ``delta``
    is the level of the test, for which the bets are tuned. The test is a betting martingale (Waudby-Smith and
    Ramdas, 2023): the p-value is 1 over the largest wealth of a bettor who bets against the losses; by
    Ville's inequality it is valid at any stopping time.
    """
    stake = (_BETS / (1 - level))[:, None]
    growth = np.log1p(stake * (level - loss)[None, :])
    before = math.log(1 / delta) / level * np.log1p(stake * level) + _FEARED * np.log1p(-_BETS)[:, None]
    past = np.cumsum(np.hstack([before, growth]), axis=1)[:, :-1]
    capital = np.cumsum(growth[past.argmax(axis=0), np.arange(len(loss))])
    return float(min(1.0, math.exp(-max(0.0, capital.max(initial=0.0)))))


def _certify(
    belief: _Floats, wrong: _Ints, candidates: tuple[_Ints, _Ints], level: tuple[float, float]
) -> tuple[float | None, str]:
    bound, delta = level
    group, order = candidates
    needed = least(bound, delta)
    chosen: float | None = None
    most = 0
    for threshold in GRID:
        loss = _losses(belief >= threshold, wrong, group, order)
        most = len(loss)
        if most < needed:
            continue
        # The bet may have been won early: nobody would believe a bound that the patches at hand exceed.
        if loss.mean() > bound or p_value(loss, bound, delta) > delta:
            if chosen is None:
                return None, (
                    f"at {threshold:g} the model trusts itself on {most} vulnerabilities, with "
                    f"{loss.mean():.1%} errors, which does not show at most {bound:.1%} with confidence "
                    f"{1 - delta:.0%}: {needed} without an error would"
                )
            break
        chosen = threshold
    if chosen is None:
        return None, (
            f"at no threshold does the model trust itself on more than {most} vulnerabilities, and no "
            f"fewer than {needed} can show {bound:.1%} with confidence {1 - delta:.0%} even without an "
            "error"
        )
    return chosen, f"errors at {chosen:g} are at most {bound:.1%} with confidence {1 - delta:.0%}"


def _losses(trusted: NDArray[np.bool_], wrong: _Ints, group: _Ints, order: _Ints | None = None) -> _Floats:
    """Return the error share of the trusted patches, per vulnerability with any, in the given order."""
    size = np.bincount(group)
    trusted_per_group = np.bincount(group, weights=trusted)
    errors = np.bincount(group, weights=trusted * wrong)
    order = np.arange(len(size)) if order is None else order
    order = order[trusted_per_group[order] > 0]
    return np.asarray(errors[order] / trusted_per_group[order], dtype=np.float64)


def _rate(share: float, n: int) -> ErrorRate:
    return ErrorRate(share, *wilson(share, n)) if n else ErrorRate(0.0, 0.0, 1.0)
