"""Thresholds of the second stage with a guarantee, tested on simulated streams.

Learn-then-Test (Angelopoulos et al., 2021) along one fixed sequence of policies, with the betting test of
:func:`crisol.model.risk.p_value` on one loss a vulnerability.
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
"""A wrong patch is a near miss where its similarity to a valid one that is known is above this."""

REFUSE = (0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3)
"""Thresholds below which a patch is refused, strictest first; they are tested before any acceptance."""

ACCEPT = (0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.87, 0.84, 0.8)
"""Thresholds of acceptance, strictest first, tested together with the refusals that were shown to hold."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The loosest policy of the second stage whose error bounds were shown on simulated streams.

    The policy is :data:`~crisol.model.policy.NEVER` where no threshold was shown. With confidence 1 - delta,
    at most the share alpha of the accepted patches is wrong, and at most the share beta of the rejected
    patches is right (means over vulnerabilities; alpha, beta and delta are those of :func:`certify`). The
    bound alpha also holds among patches with a similarity above 0.8 to a known valid one.

    ``skipped`` is the share of arrivals that are decided without a wargame. ``near_misses`` counts the wrong
    arrivals with such a similarity, ``near_accepted`` the accepted ones among these.
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
    """Return the loosest policy whose error rates on simulated streams are shown to stay within bounds.

    ``walk`` simulates all streams under a policy; it must use models that were not trained on the stream's
    group. ``label`` (1: right) and ``group`` (numbers 0, 1, ...) have shape (arrivals,). ``alpha`` bounds the
    share of wrong patches among accepted ones, ``beta`` the share of right patches among rejected ones (means
    over groups), each with confidence 1 - ``delta``.

    The thresholds of :data:`REFUSE` are tested, then those of :data:`ACCEPT`; each list starts with the
    strictest and stops at a failed test. If even the strictest fails, the policy never accepts (or rejects)
    alone; its ``reason`` says which test failed. ``seed`` orders the groups in the tests. Raises
    ValueError for a level outside (0, 1).
    """
    if not all(0 < level < 1 for level in (alpha, beta, delta)):
        raise ValueError("alpha, beta and delta lie between 0 and 1")
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    best, shown, told = NEVER, walk(NEVER), []
    for side, thresholds, level in ((-1, REFUSE, beta), (1, ACCEPT, alpha)):
        held: float | None = None
        why = f"fewer than {least(level, delta)} vulnerabilities are decided at any threshold"
        for threshold in thresholds:
            policy = Policy(best.accept, threshold) if side < 0 else Policy(threshold, best.reject)
            played = walk(policy)
            tests = [(losses(played, label, group, side, order), level, "")]
            if side > 0:
                near = losses(played, label, group, side, order, near=True)
                tests.append((near, level, " among those alike to a valid patch"))
            if min(len(loss) for loss, _, _ in tests) < least(level, delta):
                continue
            if side > 0 and best.reject is not None:
                # What is accepted changes which verdicts are known, so the refusals are tested again beside
                # it.
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
    """Return the error rate of each group in a simulation, for one kind of decision.

    ``side`` 1 takes accepted patches, of which wrong ones are errors; ``side`` -1 takes rejected patches, of
    which right ones are errors. ``label`` (1: right) and ``group`` have shape (arrivals,). ``order`` lists
    all group numbers; the result has this order, without groups that have no such decision. All streams of a
    group count together. ``near`` keeps only patches with a similarity above 0.8 to a known valid one.
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
    # The bet may have been won early: nobody would believe a bound that the streams at hand exceed.
    return bool(loss.mean() <= level and p_value(loss, level, delta) <= delta)
