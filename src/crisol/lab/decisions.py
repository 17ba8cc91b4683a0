"""The patches that a policy decides without a wargame, with thresholds chosen on other vulnerabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crisol.model.policy import Policy

__all__ = ["act"]


def act(
    truth: NDArray[np.int_],
    probability: NDArray[np.float64],
    groups: NDArray[np.str_],
    choose: Callable[[NDArray[np.int_], NDArray[np.float64]], Policy],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two boolean arrays (patches,): accepted without a wargame, decided without a wargame.

    ``truth`` (patches,) is 1 for a valid patch, 0 for an invalid one; ``probability`` (patches,) is the
    probability of valid; ``groups`` (patches,) names the vulnerability of each patch. ``choose`` is called
    once for each vulnerability, with two arrays: ``truth`` and ``probability`` of the patches of all other
    vulnerabilities. It returns the policy that decides the patches of that vulnerability.
    """
    accepted, decided = np.zeros(len(truth), dtype=bool), np.zeros(len(truth), dtype=bool)
    for group in np.unique(groups):
        inside = groups == group
        policy = choose(truth[~inside], probability[~inside])
        accepted[inside] = policy.accepts(probability[inside])
        decided[inside] = policy.decides(probability[inside])
    return accepted, decided
