"""A policy from a model's errors on given patches: an empirical bound, without a guarantee."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crisol.model.policy import Policy

__all__ = ["policy_within"]


def policy_within(truth: NDArray[np.int_], probability: NDArray[np.float64], bound: float) -> Policy:
    """Return the loosest policy that decides at most the share ``bound`` of each class wrongly.

    At most this share of the wrong patches is accepted, and at most this share of the right ones rejected.
    ``truth`` (n,) is 1 for a right patch; ``probability`` (n,) is of valid. The bound holds on these patches
    only: choose the policy on some vulnerabilities and measure it on others.
    :func:`crisol.model.risk.certify` gives a guarantee.
    """
    wrong, right = np.sort(probability[truth == 0])[::-1], np.sort(probability[truth == 1])
    accept = _exceeded(wrong, bound)
    reject = -_exceeded(-right, bound)
    # Where the classes are far apart the two cross: then nothing is left to wargame, and the middle decides.
    if reject >= accept:
        accept = reject = (accept + reject) / 2
    return Policy(
        _finite(np.nextafter(accept, np.inf)),
        _finite(np.nextafter(reject, -np.inf)),
        f"at most {bound:.1%} of either class were decided wrongly among {len(truth)} patches",
    )


def _exceeded(descending: NDArray[np.float64], bound: float) -> float:
    """Return the smallest of the values that at most the share ``bound`` of them exceed."""
    return float(descending[int(bound * len(descending))]) if len(descending) else np.inf


def _finite(threshold: float) -> float | None:
    return float(threshold) if np.isfinite(threshold) else None
