"""Thresholds of the second stage with a guarantee, tested on simulated streams.

The method is Learn-then-Test (Angelopoulos et al., 2021). Policies are tested in one fixed order, each by the
betting test of :func:`crisol.model.risk.p_value` on the loss of each vulnerability.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crisol.evidence.stream import Played
from crisol.model.policy import NEVER, Policy
from crisol.model.risk import least, p_value

__all__ = ["ACCEPT", "NEAR_MISS", "REFUSE", "Guarantee", "certify", "losses"]

NEAR_MISS = 0.8
"""The similarity to a known valid patch above which an invalid patch is a near miss."""

REFUSE = (0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3)
"""The thresholds below which a patch is refused, strictest first; they are tested before :data:`ACCEPT`."""

ACCEPT = (0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.87, 0.84, 0.8)
"""The thresholds of acceptance, strictest first; they are tested together with the refusals."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A policy of the second stage, with bounds on its errors that were shown on simulated streams.

    :func:`certify` makes it from the levels alpha, beta and delta. With the confidence 1 - delta, at most the
    share alpha of the accepted patches is invalid. With the same confidence, at most the share beta of the
    rejected patches is valid. Each share is averaged over new vulnerabilities. The bound alpha also holds
    among the accepted patches whose similarity to a known valid patch is above 0.8.

    A threshold of ``policy`` is None if no threshold passed the tests; ``policy.reason`` says why.
    ``skipped`` is the share of the simulated arrivals that the policy decides without a wargame.
    ``near_misses`` is the number of near misses among the arrivals, ``near_accepted`` the number of near
    misses that the policy accepts.
    """

    policy: Policy
    skipped: float
    near_misses: int = 0
    near_accepted: int = 0


def certify(
    walk: Callable[[Policy], Played],
    label: NDArray[np.int_],
    group: NDArray[np.int_],
    *,
    alpha: float = 0.02,
    beta: float = 0.10,
    delta: float = 0.10,
    seed: int,
) -> Guarantee:
    """Choose the policy that skips the most wargames with errors shown to be rare; return it as a guarantee.

    ``walk`` takes a policy and returns the simulation of all streams under it; its predictions for a group
    must come from models that were not trained on that group. ``label`` (arrivals,) is 1 for a valid patch, 0
    for an invalid one; ``group`` (arrivals,) is the number of each arrival's vulnerability, from 0. ``alpha``
    bounds the share of invalid patches among the accepted ones, ``beta`` the share of valid patches among the
    rejected ones, both averaged over vulnerabilities, each with the confidence 1 - ``delta``.

    Thresholds to reject, from 0.02 up to 0.3, are tested first, then thresholds to accept, from 0.99 down to
    0.8. A threshold that decides patches of too few vulnerabilities is not tested. Each list stops at the
    first failed test; the last threshold that passed is taken, None if none passed. ``seed`` draws the order
    in which the tests take the vulnerabilities. Raises ValueError unless ``alpha``, ``beta`` and ``delta``
    lie in (0, 1). Method: Learn then Test (Angelopoulos et al., 2021).
    """
    if not all(0 < level < 1 for level in (alpha, beta, delta)):
        raise ValueError("alpha, beta and delta lie between 0 and 1")
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    best, shown, told = NEVER, walk(NEVER), []
    for side, thresholds, level in ((-1, REFUSE, beta), (1, ACCEPT, alpha)):
        held: float | None = None
        needed = least(level, delta)
        why = f"fewer than {needed} vulnerabilities are decided at any threshold"
        for threshold in thresholds if len(order) >= needed else ():
            policy = Policy(best.accept, threshold) if side < 0 else Policy(threshold, best.reject)
            played = walk(policy)
            tests = [(losses(played, label, group, side, order), level, "")]
            if side > 0:
                near = losses(played, label, group, side, order, near=True)
                tests.append((near, level, " among those alike to a valid patch"))
            if min(len(loss) for loss, _, _ in tests) < needed:
                continue
            if side > 0 and best.reject is not None:
                # The accepted patches change which verdicts are known, so the refusals are tested again
                # together with them.
                tests.append((losses(played, label, group, -1, order), beta, " among the refused"))
            failed = [test for test in tests if not _holds(test[0], test[1], delta)]
            if failed:
                loss, bound, where = failed[0]
                why = (
                    f"at {threshold:g} {loss.mean():.1%} errors over {len(loss)} vulnerabilities{where} "
                    f"do not show {bound:.0%}"
                )
                break
            best, held, shown = policy, threshold, played
        name = "refuse" if side < 0 else "accept"
        told.append(f"{name}: {why}" if held is None else f"{name} at {held:g} holds {level:.0%}")
    missed = (label[shown.arrival] == 0) & _near(shown)
    return Guarantee(
        Policy(best.accept, best.reject, "; ".join(told)),
        float((shown.decision != 0).mean()),
        int(missed.sum()),
        int((missed & (shown.decision == 1)).sum()),
    )


def losses(
    played: Played,
    label: NDArray[np.int_],
    group: NDArray[np.int_],
    side: int,
    order: NDArray[np.int_],
    *,
    near: bool = False,
) -> NDArray[np.float64]:
    """Return the error rate of each group in a simulation, among its accepted or among its rejected patches.

    With ``side`` 1 the rate is the share of invalid patches among the accepted ones. With ``side`` -1 it is
    the share of valid patches among the rejected ones. With ``near`` the rate counts only patches whose
    similarity to a known valid patch is above 0.8. A rate counts the patches of all streams of its group.
    ``label`` (arrivals,) is 1 for a valid patch, 0 for an invalid one; ``group`` (arrivals,) is the number of
    each arrival's group. ``order`` (groups,) lists all group numbers. The result has the order of ``order``;
    a group without a patch to count is left out.
    """
    truth = label[played.arrival]
    decided = played.decision == side
    if near:
        decided = decided & _near(played)
    wrong = decided & (truth == (0 if side > 0 else 1))
    of = group[played.arrival]
    count = np.bincount(of, weights=decided, minlength=len(order))[order]
    errors = np.bincount(of, weights=wrong, minlength=len(order))[order]
    return np.asarray(errors[count > 0] / count[count > 0], dtype=np.float64)


def _near(played: Played) -> NDArray[np.bool_]:
    return np.nan_to_num(played.near_valid) > NEAR_MISS


def _holds(loss: NDArray[np.float64], level: float, delta: float) -> bool:
    # The test may have succeeded early; a bound that the given streams exceed would not be credible.
    return bool(loss.mean() <= level and p_value(loss, level, delta) <= delta)
