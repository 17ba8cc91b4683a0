"""Choose a policy that bounds a model's errors on given patches, without a guarantee for other patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crisol.model.policy import Policy

__all__ = ["policy_within"]


def policy_within(truth: NDArray[np.int_], probability: NDArray[np.float64], bound: float) -> Policy:
    """Return the policy that skips the most wargames while it misjudges at most ``bound`` of each class.

    At most the share ``bound`` of the invalid patches is accepted, and at most this share of the valid
    patches is rejected. ``bound`` is in [0, 1). ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one;
    ``probability`` (n,) is the probability of valid. Without invalid patches the threshold ``accept`` is
    None, and no patch is accepted; without valid ones ``reject`` is None, and no patch is rejected. Where the
    bound allows a ``reject`` above ``accept``, the mean of the two takes the place of both, so that hardly
    any patch is wargamed. The bound holds on these patches only: choose the policy on some vulnerabilities,
    and measure it on others. :func:`crisol.model.risk.certify` gives a guarantee.
    """
    wrong, right = np.sort(probability[truth == 0])[::-1], np.sort(probability[truth == 1])
    accept = _exceeded(wrong, bound)
    reject = -_exceeded(-right, bound)
    # If the classes are far apart, the two thresholds cross; then their mean decides, and nothing is
    # wargamed.
    if reject >= accept:
        accept = reject = (accept + reject) / 2
    return Policy(
        _finite(np.nextafter(accept, np.inf)),
        _finite(np.nextafter(reject, -np.inf)),
        f"at most {bound:.1%} of either class were decided wrongly among {len(truth)} patches",
    )


def _exceeded(descending: NDArray[np.float64], bound: float) -> float:
    """Return the smallest value that at most the share ``bound`` of the values exceeds; inf if empty."""
    return float(descending[int(bound * len(descending))]) if len(descending) else np.inf


def _finite(threshold: float) -> float | None:
    return float(threshold) if np.isfinite(threshold) else None
