"""The guarantee over streams: simulated worlds in which the true errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from crisol.evidence.guarantee import certify
from crisol.evidence.stream import Played
from crisol.model.policy import NEVER, Policy

EACH = 5


def world(
    rng: np.random.Generator, groups: int, wrong: float, right: float
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Draw beliefs and labels.

    Of what looks valid a share is ``wrong``, of what looks invalid one is ``right``.
    """
    valid = rng.random(groups * EACH) < 0.5
    belief = np.where(valid, 0.995, 0.005)
    error = rng.random(len(valid)) < np.where(valid, wrong, right)
    return belief, (valid ^ error).astype(np.int_)


def played(belief: NDArray[np.float64], policy: Policy, near: NDArray[np.float64] | float = 0.9) -> Played:
    n = len(belief)
    decision = policy.accepts(belief).astype(np.int_) - policy.refuses(belief).astype(np.int_)
    nothing = np.zeros(n, dtype=np.int_)
    return Played(np.arange(n), nothing, nothing, belief, decision, np.full(n, "memory"), np.full(n, near))


def test_a_policy_whose_errors_exceed_the_promise_is_certified_at_most_as_often_as_delta_says() -> None:
    rng = np.random.default_rng(0)
    accepted = refused = 0
    for seed in range(60):
        belief, label = world(rng, 400, wrong=0.03, right=0.13)
        group = np.repeat(np.arange(400), EACH)
        found = certify(lambda policy, belief=belief: played(belief, policy), label, group, seed=seed).policy
        accepted += found.accept is not None
        refused += found.reject is not None
    assert max(accepted, refused) <= 10


def test_a_policy_without_errors_is_certified_where_there_are_enough_vulnerabilities() -> None:
    belief, label = world(np.random.default_rng(1), 400, wrong=0.0, right=0.02)
    group = np.repeat(np.arange(400), EACH)
    found = certify(lambda policy: played(belief, policy), label, group, seed=0)
    assert found.policy.accept == 0.8
    assert found.policy.reject == 0.3
    assert found.skipped == 1.0


def test_too_few_vulnerabilities_show_nothing_and_the_reason_says_so() -> None:
    belief, label = world(np.random.default_rng(2), 15, wrong=0.0, right=0.0)
    found = certify(lambda policy: played(belief, policy), label, np.repeat(np.arange(15), EACH), seed=0)
    assert (found.policy.accept, found.policy.reject) == (NEVER.accept, NEVER.reject)
    assert "fewer than" in found.policy.reason


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_level_outside_its_bounds_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        certify(
            lambda _: played(np.empty(0), NEVER),
            np.zeros(1, dtype=np.int_),
            np.zeros(1, dtype=np.int_),
            alpha=level,
            seed=0,
        )


def test_what_is_alike_to_a_valid_patch_is_accepted_only_where_that_is_shown_to_hold_by_itself() -> None:
    """Few errors among all that is accepted are too many among what is alike to a valid patch."""
    belief, label = world(np.random.default_rng(3), 400, wrong=0.0, right=0.0)
    group, near = np.repeat(np.arange(400), EACH), np.full(len(belief), 0.1)
    near[::EACH] = 0.95
    label[(np.arange(len(belief)) % (24 * EACH) == 0) & (belief > 0.5)] = 0
    found = certify(lambda policy: played(belief, policy, near), label, group, seed=0)
    assert found.policy.accept is None
    assert "among those alike to a valid patch" in found.policy.reason
    assert found.policy.reject == 0.3
    assert (found.near_misses > 0, found.near_accepted) == (True, 0)


def test_where_nothing_alike_is_ever_accepted_no_acceptance_is_certified() -> None:
    belief, label = world(np.random.default_rng(4), 400, wrong=0.0, right=0.0)
    group = np.repeat(np.arange(400), EACH)
    found = certify(lambda policy: played(belief, policy, np.nan), label, group, seed=0)
    assert (found.policy.accept, found.policy.reject) == (None, 0.3)
