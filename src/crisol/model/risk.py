"""Choose thresholds for a model, with a guarantee on its errors over new vulnerabilities.

The method is Learn then Test (Angelopoulos et al., 2021). It tests the mean loss by betting (Waudby-Smith and
Ramdas, 2023). There is one loss for each vulnerability, since patches of one vulnerability are not
independent.
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
"""The thresholds on the probability of the predicted class, strictest first."""

_BETS = np.append(np.linspace(0.05, 0.95, 10), (0.97, 0.99))
_FEARED = 0.1


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A share in [0, 1], ``value``, with the ends ``low`` and ``high`` of its 95 % Wilson interval.

    The sample size of the interval is the number of vulnerabilities, not that of patches. Without any
    vulnerability ``value`` is 0 and the interval is (0, 1).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskGuarantee:
    """A policy of the model, with bounds on its errors on new vulnerabilities; :func:`certify` makes it.

    With confidence 1 - ``delta``, at most the share ``alpha`` of the accepted patches is invalid, and at most
    the share ``beta`` of the rejected patches is valid. Each share is computed for one vulnerability, then
    averaged over vulnerabilities. If the data do not show the bound ``alpha``, the accept threshold of
    ``policy`` is None; if they do not show the bound ``beta``, the reject threshold is None.
    ``policy.reason`` then says what is missing.

    The last three fields are measured on the patches from which the policy was chosen. ``skipped_share`` is
    the share of patches that the policy decides without a wargame. ``wrong_among_accepted`` is the share of
    invalid patches among the accepted ones, averaged over the vulnerabilities with accepted patches, and 0 if
    there are none. ``right_among_refused`` is the share of valid patches among the rejected ones, averaged
    over the vulnerabilities with rejected patches, and 0 if there are none.
    """

    policy: Policy
    alpha: float
    beta: float
    delta: float
    skipped_share: ErrorRate
    wrong_among_accepted: ErrorRate
    """Share of wrong patches among those accepted without a wargame, the mean over vulnerabilities."""
    right_among_refused: ErrorRate
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
    """Return the policy that skips the most wargames while its error shares stay below given bounds.

    ``alpha`` bounds the share of invalid patches among the accepted ones, ``beta`` the share of valid patches
    among the rejected ones. Both shares are averaged over new vulnerabilities. Each bound holds with
    confidence 1 - ``delta``. ``probability`` (n,) is the out-of-fold probability of valid, ``label`` (n,) is
    1 for a valid patch and 0 for an invalid one, ``groups`` (n,) names the vulnerability of each patch.
    ``seed`` draws the order in which the tests take the vulnerabilities.

    The two thresholds are chosen separately. To accept, the thresholds of :data:`GRID` are tested in turn,
    from 0.99 down to 0.55; to reject, 1 minus each of them. A threshold at which the model decides patches of
    too few vulnerabilities is not tested, and the next one follows. The tests end when one fails. The last
    threshold that passed is taken; if none passed, the threshold is None. Raises ValueError unless ``alpha``,
    ``beta`` and ``delta`` lie in (0, 1). Method: Learn then Test (Angelopoulos et al., 2021).
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
    """Return the policy that skips the most wargames with error rates of at most ``level`` on these patches.

    Two error rates are bounded: the share of invalid patches among the accepted ones, and the share of valid
    patches among the rejected ones, both averaged over vulnerabilities. ``probability`` (n,) is the
    probability of valid, ``label`` (n,) is 1 for a valid patch and 0 for an invalid one, ``groups`` (n,)
    names the vulnerability of each patch. The two thresholds are chosen separately. ``accept`` is a value of
    :data:`GRID`, ``reject`` is 1 minus a value of it. A threshold is None if no value keeps its error rate at
    ``level`` or below. The result is no guarantee for other patches.
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
    """Return three rates of a policy: wargames skipped, wrong among accepted, right among refused.

    The first is the share of patches that the policy decides without a wargame. The second is the share of
    invalid patches among the accepted ones, averaged over the vulnerabilities with accepted patches; it is 0
    if no patch is accepted. The third is the share of valid patches among the rejected ones, averaged over
    the vulnerabilities with rejected patches; it is 0 if no patch is rejected. ``probability`` (n,) is the
    probability of valid, ``label`` (n,) is 1 for a valid patch and 0 for an invalid one, ``groups`` (n,)
    names the vulnerability of each patch.
    """
    _, group = np.unique(groups, return_inverse=True)
    accepted, rejected = policy.accepts(probability), policy.refuses(probability)
    skipped = float((accepted | rejected).mean()) if len(label) else 0.0
    wrong_among_accepted, right_among_refused = (
        _rate(float(losses.mean()) if len(losses) else 0.0, len(losses))
        for losses in (_losses(accepted, 1 - label, group), _losses(rejected, label, group))
    )
    return _rate(skipped, len(np.unique(group))), wrong_among_accepted, right_among_refused


@cache
def least(level: float, delta: float) -> int:
    """Return how many vulnerabilities are needed to show that the error rate is at most ``level``.

    The number holds if the model makes no error on any of them. It is the smallest number that passes the
    test of :func:`p_value`. ``level`` and ``delta`` lie in (0, 1); ``delta`` is 1 minus the confidence.
    """
    return next(n for n in count(1) if p_value(np.zeros(n), level, delta) <= delta)


def p_value(loss: _Floats, level: float, delta: float = 0.1) -> float:
    """Return a p-value of the hypothesis that the mean loss exceeds ``level``.

    ``loss`` (n,) holds one loss in [0, 1] for each vulnerability, such as its share of errors, in random
    order; ``level`` lies in (0, 1). ``delta`` is the significance level for which the test is tuned. The
    p-value is valid at any stopping time; it is 1 for n = 0. Method: a betting martingale (Waudby-Smith and
    Ramdas, *Estimating means of bounded random variables by betting*, 2023).
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
        # The test may have succeeded early; a bound that the given patches exceed would not be credible.
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
    """Return the share of errors among the decided patches of each vulnerability that has any.

    ``trusted`` (n,) is True for a decided patch, ``wrong`` (n,) is 1 for an error, and ``group`` (n,) is the
    number of the vulnerability, from 0. ``order`` lists these numbers in the order of the result.
    """
    size = np.bincount(group)
    trusted_per_group = np.bincount(group, weights=trusted)
    errors = np.bincount(group, weights=trusted * wrong)
    order = np.arange(len(size)) if order is None else order
    order = order[trusted_per_group[order] > 0]
    return np.asarray(errors[order] / trusted_per_group[order], dtype=np.float64)


def _rate(share: float, n: int) -> ErrorRate:
    return ErrorRate(share, *wilson(share, n)) if n else ErrorRate(0.0, 0.0, 1.0)
