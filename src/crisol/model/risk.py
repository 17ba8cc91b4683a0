"""When a model is sure enough: thresholds chosen for a bound on its costly errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Threshold", "choose_threshold"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Accept at or above ``accept``, refuse at or below ``reject``, wargame between; infinite means never."""

    accept: float
    reject: float

    def accepts(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which patches the model accepts alone."""
        return probability >= self.accept

    def decides(self, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which patches need no wargame."""
        return (probability >= self.accept) | (probability <= self.reject)


def choose_threshold(truth: NDArray[np.int_], probability: NDArray[np.float64], bound: float) -> Threshold:
    """Return the widest thresholds under which at most ``bound`` of either class is decided wrongly.

    The bound holds on the data that are handed in, which must not be the data that are reported: choose on some
    vulnerabilities, report on others. It is no guarantee for the next vulnerability.
    """
    wrong, right = np.sort(probability[truth == 0])[::-1], np.sort(probability[truth == 1])
    accept = _beyond(wrong, bound, np.inf)
    reject = -_beyond(-right, bound, np.inf)
    # Where the classes are far apart the two meet: then nothing is left to wargame, and the middle decides.
    if reject >= accept:
        accept = reject = (accept + reject) / 2
    return Threshold(float(np.nextafter(accept, np.inf)), float(np.nextafter(reject, -np.inf)))


def _beyond(descending: NDArray[np.float64], bound: float, empty: float) -> float:
    """Return the value that at most ``bound`` of the values exceed."""
    return float(descending[int(bound * len(descending))]) if len(descending) else empty
