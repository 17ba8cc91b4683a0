"""Which patches a policy accepts and decides without a wargame."""

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
    """Return two masks of shape (patches,): accepted without a wargame, and decided without a wargame.

    ``truth`` is 1 for valid. ``choose`` returns a policy for given truth and probabilities of valid. The
    function calls it once for each group (a vulnerability), with the patches of all other groups, so that no
    patch influences the policy that decides it.
    """
    accepted, decided = np.zeros(len(truth), dtype=bool), np.zeros(len(truth), dtype=bool)
    for group in np.unique(groups):
        inside = groups == group
        policy = choose(truth[~inside], probability[~inside])
        accepted[inside] = policy.accepts(probability[inside])
        decided[inside] = policy.decides(probability[inside])
    return accepted, decided
