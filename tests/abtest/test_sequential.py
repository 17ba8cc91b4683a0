"""Looking at every trial must not fool anybody: coverage is shown by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from crisol.abtest.confusion import wilson
from crisol.abtest.sequential import asymptotic_sequence, betting_sequence
from crisol.errors import InputError

RUNS, TRIALS, FIRST_LOOK = 120, 600, 10


def streams(mean: float, rate: float, seed: int, runs: int = RUNS):  # noqa: ANN201 - pairs of arrays
    """Yield values and weights of sampled patches: unsure ones are right half the time and always in."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        unsure = rng.random(6000) < 0.2
        right = rng.random(6000) < np.where(unsure, 0.5, (mean - 0.1) / 0.8)
        taken = np.flatnonzero(unsure | (rng.random(6000) < rate))[:TRIALS]
        yield right[taken].astype(float), np.where(unsure[taken], 1.0, 1.0 / rate)


def test_the_naive_interval_fails_those_who_look_after_every_trial() -> None:
    """A 95 % interval that is looked at 590 times misses the truth once in far more than 5 % of runs."""
    missed = 0
    for right, _ in streams(0.8, 1.0, 1, 40):
        share = right.cumsum() / np.arange(1, right.size + 1)
        bounds = [wilson(share[n - 1], n) for n in range(FIRST_LOOK, right.size + 1)]
        missed += any(not low <= 0.8 <= high for low, high in bounds)
    assert missed / 40 > 0.20


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_the_betting_sequence_covers_the_truth_at_all_times(rate: float) -> None:
    """At most 5 % of the runs ever miss (binomial slack of three standard errors), weighted or not."""
    missed = 0
    for right, weights in streams(0.8, rate, 2):
        bounds = betting_sequence(right, weights, max_weight=1.0 / rate, grid=201)
        missed += bool(((bounds.low > 0.8) | (bounds.high < 0.8) | np.isnan(bounds.low)).any())
    assert missed / RUNS <= 0.05 + 3 * (0.05 * 0.95 / RUNS) ** 0.5


def test_the_asymptotic_sequence_covers_the_truth_once_there_are_some_trials() -> None:
    missed = 0
    for right, weights in streams(0.8, 0.25, 3):
        bounds = asymptotic_sequence(right, weights)
        missed += bool(((bounds.low > 0.8) | (bounds.high < 0.8))[50:].any())
    assert missed / RUNS <= 0.05 + 3 * (0.05 * 0.95 / RUNS) ** 0.5


def test_the_sequence_narrows_until_it_decides() -> None:
    """2,000 trials tell 0.8 from 0.7; the interval is less than three times as wide as the naive one."""
    right = (np.random.default_rng(4).random(2000) < 0.8).astype(float)
    bounds = betting_sequence(right)
    assert bounds.low[-1] > 0.7
    low, high = wilson(right.mean(), 2000)
    assert bounds.high[-1] - bounds.low[-1] < 3 * (high - low)
    assert bounds.estimate[-1] == pytest.approx(right.mean())


def test_a_mean_that_jumps_breaks_the_sequence_instead_of_being_averaged() -> None:
    bounds = betting_sequence([1.0] * 1000 + [0.0] * 1000)
    assert bounds.broken_at is not None
    assert 1000 < bounds.broken_at < 2000
    assert betting_sequence([1.0, 0.0] * 500).broken_at is None


def test_values_and_weights_out_of_range_are_named() -> None:
    with pytest.raises(InputError, match=r"trial 1: value 1\.5"):
        betting_sequence([0.5, 1.5])
    with pytest.raises(InputError, match="trial 0"):
        betting_sequence([0.5], [0.0])
    with pytest.raises(InputError, match="one length"):
        asymptotic_sequence([0.5], [1.0, 1.0])
    with pytest.raises(InputError, match="exceeds max_weight"):
        betting_sequence([0.5], [10.0], max_weight=5.0)


def test_no_trials_make_an_empty_sequence() -> None:
    assert betting_sequence([]).low.size == 0
