"""Where a model is sure enough by the record of its errors: cuts with an empirical bound, without a guarantee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cut", "choose_cut"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Accept at or above ``accept``, refuse at or below ``reject``, wargame between; infinite means never."""

    accept: float
    reject: float

    def accepts(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which patches the model accepts alone."""
        return probability >= self.accept

    def decides(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which patches need no wargame."""
        return (probability >= self.accept) | (probability <= self.reject)


def choose_cut(truth: NDArray[np.int_], probability: NDArray[np.float64], bound: float) -> Cut:
    """Return the widest cuts under which at most ``bound`` of either class is decided wrongly.

    The bound holds on the data that are handed in, which must not be the data that are reported: choose on some
    vulnerabilities, report on others. It is no guarantee for the next vulnerability, see
    :func:`crisol.model.risk.choose_threshold` for one.
    """
    wrong, right = np.sort(probability[truth == 0])[::-1], np.sort(probability[truth == 1])
    accept = _exceeded(wrong, bound)
    reject = -_exceeded(-right, bound)
    # Where the classes are far apart the two cross: then nothing is left to wargame, and the middle decides.
    if reject >= accept:
        accept = reject = (accept + reject) / 2
    return Cut(float(np.nextafter(accept, np.inf)), float(np.nextafter(reject, -np.inf)))


def _exceeded(descending: NDArray[np.float64], bound: float) -> float:
    """Return the smallest of the values that at most the share ``bound`` of them exceed."""
    return float(descending[int(bound * len(descending))]) if len(descending) else np.inf
