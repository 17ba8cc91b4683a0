"""What predictions amount to when somebody acts on them: what is accepted without a wargame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["accepted_alone"]


def accepted_alone(
    truth: NDArray[np.int_],
    probability: NDArray[np.float64],
    groups: NDArray[np.str_],
    choose: Callable[[NDArray[np.int_], NDArray[np.float64]], float],
) -> NDArray[np.bool_]:
    """Return which patches a model would accept without a wargame.

    ``choose`` maps truth and probability to the smallest probability that is accepted. For each group (a
    vulnerability) it sees the other groups only, so that no patch has a say in its own threshold.
    """
    accepted = np.zeros(len(truth), dtype=bool)
    for group in np.unique(groups):
        inside = groups == group
        accepted[inside] = probability[inside] >= choose(truth[~inside], probability[~inside])
    return accepted
