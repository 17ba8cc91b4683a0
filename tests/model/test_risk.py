from __future__ import annotations

import numpy as np
import pytest

from crisol.model.calibration import Sigmoid, cross_fitted
from crisol.model.policy import Policy
from crisol.model.risk import GRID, certify, least, operating_point, p_value

_ALPHA, _DELTA = 0.1, 0.1
_SHAPES = {
    "boundary": 300,
    "calibrated": 300,
    "correlated": 300,
    "few": 40,
    "overconfident": 300,
    "seldom": 150,
    "uneven": 300,
}


def _draw(shape: str, rng: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probability, label and group; patches of one vulnerability share its difficulty."""
    size = rng.integers(1, 12, groups) if shape == "uneven" else np.full(groups, 6)
    group = np.repeat(np.arange(groups), size)
    hard = (rng.random(groups) < 0.12)[group]
    probability = rng.beta(0.1, 0.1, len(group))
    if shape == "correlated":
        # In a hard vulnerability everything that the model believes is wrong.
        label = np.where(hard, 0, rng.random(len(group)) < probability)
    elif shape == "overconfident":
        label = rng.random(len(group)) < 0.5 + 0.35 * (probability - 0.5)
    elif shape == "boundary":
        # Errors are just too frequent at every threshold, and come by the whole vulnerability.
        label = (rng.random(groups) < 0.895)[group]
    elif shape == "seldom":
        # Strict thresholds trust few vulnerabilities, so where the test starts is a matter of chance; errors
        # are too frequent from 0.9 on.
        probability = rng.beta(1.0, 1.0, len(group))
        label = rng.random(len(group)) < np.where(probability < 0.93, 0.8, 0.97)
    else:
        label = rng.random(len(group)) < probability
    return probability, label.astype(int), group.astype(str)


def _risks(shape: str, rng: np.random.Generator) -> dict[float, float]:
    """Return the true risk at each threshold.

    The mean, over vulnerabilities with a trusted patch, of their errors.
    """
    probability, label, group = _draw(shape, rng, 60_000)
    number = group.astype(int)
    risks = {}
    for bound in GRID:
        trusted = np.bincount(number, weights=probability >= bound)
        wrong = np.bincount(number, weights=(probability >= bound) & (label == 0))
        risks[bound] = float((wrong[trusted > 0] / trusted[trusted > 0]).mean()) if trusted.any() else 0.0
    return risks


@pytest.mark.parametrize("shape", _SHAPES)
def test_the_guarantee_holds_over_vulnerabilities(shape: str) -> None:
    """In 500 repeats the true risk exceeds alpha in at most a share delta, up to chance (3 sigma)."""
    rng = np.random.default_rng(11)
    risk = _risks(shape, rng)
    broken = used = 0
    for repeat in range(500):
        data = _draw(shape, rng, _SHAPES[shape])
        chosen = certify(*data, alpha=_ALPHA, beta=_ALPHA, delta=_DELTA, seed=repeat)
        if chosen.policy.accept is not None:
            used += 1
            broken += risk[chosen.policy.accept] > _ALPHA
    assert broken / 500 <= _DELTA + 3 * np.sqrt(_DELTA * (1 - _DELTA) / 500)
    if shape == "overconfident":
        assert used < 100
    if shape in {"calibrated", "few", "uneven"}:
        assert used > 250


def _scored(rng: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores that say too much, labels and groups; in one vulnerability of twenty all is wrong."""
    group = np.repeat(np.arange(groups), 6)
    score = rng.beta(0.1, 0.1, len(group))
    label = rng.random(len(group)) < Sigmoid(0.6, 0.3)(score)
    return score, np.where((rng.random(groups) < 0.05)[group], 0, label).astype(int), group


def test_what_was_chosen_across_folds_holds_for_the_model_that_is_served() -> None:
    """Thresholds come from cross-fitted calibration, the risk from a fit on all, measured on new ones."""
    rng = np.random.default_rng(5)
    fresh, truth, number = _scored(rng, 5_000)
    order = np.argsort(fresh)
    broken = used = 0
    for repeat in range(500):
        score, label, group = _scored(rng, 120)
        chosen = certify(
            cross_fitted(score, label, group % 3), label, group.astype(str), alpha=_ALPHA, seed=repeat
        )
        if chosen.policy.accept is None:
            continue
        used += 1
        served = Sigmoid.fit(score, label)(fresh[order])
        trusted = order[np.searchsorted(served, chosen.policy.accept) :]
        asked = np.bincount(number[trusted], minlength=5_000)
        wrong = np.bincount(number[trusted], weights=1 - truth[trusted], minlength=5_000)
        broken += float((wrong[asked > 0] / asked[asked > 0]).mean()) > _ALPHA
    assert used > 100
    assert broken / 500 <= _DELTA + 3 * np.sqrt(_DELTA * (1 - _DELTA) / 500)


@pytest.mark.parametrize("size", [1.0, 0.2])
def test_the_test_of_the_mean_is_valid_on_the_boundary(size: float) -> None:
    """Losses of one size whose mean is just alpha are certified at most as often as delta allows."""
    rng = np.random.default_rng(0)
    for n in (30, 200):
        losses = size * (rng.random((1_000, n)) < 0.05 / size)
        rejected = [p_value(loss, 0.05) <= 0.1 for loss in losses]
        assert np.mean(rejected) <= 0.1 + 3 * np.sqrt(0.09 / 1_000)


def test_next_to_no_vulnerability_is_wasted() -> None:
    """Without an error, 0.98 to the power of 114 is the first below a tenth: no test can do with fewer."""
    assert 114 <= least(0.02, 0.1) <= 118
    assert least(0.2, 0.1) == 11


def test_too_few_vulnerabilities_are_said_to_be_too_few() -> None:
    probability, label, group = (
        np.array([0.99, 0.01] * 40),
        np.array([1, 0] * 40),
        np.repeat(np.arange(40), 2),
    )
    chosen = certify(probability, label, group.astype(str), beta=0.02, seed=0)
    assert chosen.policy.accept is chosen.policy.reject is None
    assert chosen.skipped_share.value == 0
    assert f"no fewer than {least(0.02, 0.1)}" in chosen.policy.reason


def test_a_right_model_on_many_vulnerabilities_is_trusted() -> None:
    group = np.repeat(np.arange(600), 2).astype(str)
    probability, label = np.tile([0.995, 0.005], 600), np.tile([1, 0], 600)
    chosen = certify(probability, label, group, seed=0)
    assert chosen.policy.accept is not None
    assert chosen.policy.reject is not None
    assert chosen.policy.reject < chosen.policy.accept
    assert chosen.skipped_share.value == 1.0
    assert chosen.wrong_among_accepted.value == 0.0
    assert 0.0 < chosen.wrong_among_accepted.high < 0.02


def test_no_bound_is_claimed_that_the_patches_at_hand_exceed() -> None:
    """A bet that was won early does not hide the errors that came after."""
    for seed in range(40):
        data = _draw("boundary", np.random.default_rng(seed), 60)
        chosen = certify(*data, alpha=0.2, beta=0.2, seed=seed)
        assert chosen.wrong_among_accepted.value <= 0.2
        assert chosen.right_among_refused.value <= 0.2


def test_a_model_that_knows_nothing_is_not_trusted() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(600), 2).astype(str)
    chosen = certify(rng.random(1_200), rng.integers(2, size=1_200), group, seed=0)
    assert chosen.policy.accept is chosen.policy.reject is None
    assert "errors" in chosen.policy.reason


def test_the_same_seed_chooses_the_same() -> None:
    data = _draw("calibrated", np.random.default_rng(2), 300)
    assert certify(*data, alpha=0.1, seed=4) == certify(*data, alpha=0.1, seed=4)


def test_an_interval_counts_vulnerabilities_and_not_patches() -> None:
    """A hundred patches of one vulnerability say no more than one would."""
    ones = np.ones(100, dtype=int)
    _, single, _ = operating_point(np.ones(100), ones, np.repeat("a", 100), Policy(0.5))
    _, many, _ = operating_point(np.ones(100), ones, np.arange(100).astype(str), Policy(0.5))
    assert single.value == many.value == 0.0
    assert single.high > 0.7
    assert many.high < 0.05


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_levels_outside_the_unit_interval_are_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        certify(np.ones(1), np.ones(1, dtype=int), np.array(["a"]), alpha=level, seed=0)
