"""What predictions amount to when somebody acts on them: what is accepted, and what is decided, without a wargame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crisol.model.cut import Cut

__all__ = ["act"]


def act(
    truth: NDArray[np.int_],
    probability: NDArray[np.float64],
    groups: NDArray[np.str_],
    choose: Callable[[NDArray[np.int_], NDArray[np.float64]], Cut],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which patches a model alone would accept, and which it would decide at all.

    ``choose`` maps truth and probability to a cut. For each group (a vulnerability) it sees the other groups
    only, so that no patch has a say in its own cut.
    """
    accepted, decided = np.zeros(len(truth), dtype=bool), np.zeros(len(truth), dtype=bool)
    for group in np.unique(groups):
        inside = groups == group
        cut = choose(truth[~inside], probability[~inside])
        accepted[inside] = cut.accepts(probability[inside])
        decided[inside] = cut.decides(probability[inside])
    return accepted, decided
