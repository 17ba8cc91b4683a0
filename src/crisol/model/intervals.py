"""Wilson's confidence interval of a share, also for weighted trials.

SciPy's ``binomtest`` is not used, because it takes whole numbers of successes only. The effective number of
weighted trials is not a whole number.
"""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = ["quantile", "wilson"]

_NORMAL = NormalDist()


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the ends (low, high) of Wilson's score interval (1927) for a share.

    ``share``, in [0, 1], is the share of successes among ``n`` observations; ``n`` is positive and need not
    be whole. ``level`` is the confidence.

    >>> [round(bound, 3) for bound in wilson(0.1, 50)]
    [0.043, 0.214]
    """
    z = quantile(level)
    centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z / (1.0 + z * z / n) * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    # At 0 and 1 the exact bounds are 0 and 1; rounding must not exclude the estimate itself.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def quantile(level: float) -> float:
    """Return how many standard deviations a two-sided normal interval reaches on each side: 1.96 at 95 %.

    ``level``, in (0, 1), is the confidence, such as 0.95.
    """
    return _NORMAL.inv_cdf((1.0 + level) / 2.0)
