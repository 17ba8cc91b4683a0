"""A cut keeps its bound on the data it was chosen on."""

from __future__ import annotations

import numpy as np

from crisol.model.cut import policy_within


def test_cuts_keep_their_bound() -> None:
    """At most the bound of either class is decided wrongly, and ties count."""
    rng = np.random.default_rng(0)
    for bound in (0.0, 0.02, 0.1):
        for _ in range(50):
            truth = rng.integers(0, 2, 200)
            score = np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 1)
            cut = policy_within(truth, score, bound)
            assert cut.accepts(score)[truth == 0].mean() <= bound
            assert (score[truth == 1] <= cut.reject).mean() <= bound


def test_a_perfect_score_leaves_nothing_to_wargame() -> None:
    """Where the classes do not meet, every patch is decided, and rightly."""
    truth = np.array([0] * 10 + [1] * 10)
    score = np.where(truth == 1, 0.9, 0.1)
    cut = policy_within(truth, score, 0.05)
    assert cut.decides(score).all()
    assert (cut.accepts(score) == (truth == 1)).all()
