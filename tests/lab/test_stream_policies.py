"""The thresholds of the policies that a study of streams compares."""

from __future__ import annotations

import numpy as np
import pytest

from crisol.lab.stream_policies import _most


@pytest.mark.parametrize(
    ("belief", "error", "share", "most"),
    [
        ([0.1, 0.2, 0.3], [0, 1, 1], 0.0, 1),
        ([0.1, 0.2, 0.3], [0, 1, 0], 0.4, 3),
        ([0.5, 0.5, 0.5], [0, 1, 1], 0.1, 0),
        ([0.1, 0.5, 0.5], [0, 0, 1], 0.1, 1),
        ([0.9, 0.9, 0.8], [0, 0, 1], 0.1, 2),
        ([], [], 0.1, 0),
    ],
)
def test_a_threshold_keeps_its_share_of_errors_also_among_equal_beliefs(
    belief: list[float], error: list[int], share: float, most: int
) -> None:
    """A policy decides arrivals of equal belief alike, so none of them may be counted without the others."""
    assert _most(np.array(belief), np.array(error, dtype=np.int_), share) == most
