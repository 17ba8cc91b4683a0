from __future__ import annotations

import numpy as np
import pytest

from crisol.model.risk import GRID, choose_threshold, operating_point, p_value

_ALPHA, _DELTA = 0.1, 0.1


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
    else:
        label = rng.random(len(group)) < probability
    return probability, label.astype(int), group.astype(str)


@pytest.mark.parametrize("shape", ["boundary", "calibrated", "correlated", "overconfident", "uneven"])
def test_the_guarantee_holds_over_vulnerabilities(shape: str) -> None:
    """In 500 repeats, the true risk exceeds alpha in at most a share delta of them, up to chance (3 sigma)."""
    rng = np.random.default_rng(11)
    probability, label, group = _draw(shape, rng, 60_000)
    number = group.astype(int)
    size = np.bincount(number)[number]
    risk = {}
    for bound in GRID:
        trusted = (probability >= bound) / size
        risk[bound] = float((trusted * (label == 0)).sum() / trusted.sum())
    broken = used = 0
    for repeat in range(500):
        chosen = choose_threshold(*_draw(shape, rng, 300), alpha=_ALPHA, delta=_DELTA, seed=repeat)
        if chosen.accept is not None:
            used += 1
            broken += risk[chosen.accept] > _ALPHA
    assert broken / 500 <= _DELTA + 3 * np.sqrt(_DELTA * (1 - _DELTA) / 500)
    if shape == "overconfident":
        assert used < 100
    if shape == "calibrated":
        assert used > 250


def test_the_test_of_the_mean_is_valid_on_the_boundary() -> None:
    """A fair coin that fails with chance alpha is certified at most as often as delta allows."""
    rng = np.random.default_rng(0)
    for bet in (0.1, 0.5, 0.9):
        found = [p_value((rng.random(200) < 0.05).astype(float), 0.05, bet) <= 0.1 for _ in range(1_000)]
        assert np.mean(found) <= 0.1 + 3 * np.sqrt(0.09 / 1_000)


def test_too_few_vulnerabilities_are_said_to_be_too_few() -> None:
    probability, label, group = (
        np.array([0.99, 0.01] * 40),
        np.array([1, 0] * 40),
        np.repeat(np.arange(40), 2),
    )
    chosen = choose_threshold(probability, label, group.astype(str), seed=0)
    assert chosen.accept is chosen.reject is None
    assert chosen.skipped_share.value == 0
    assert "no fewer than 114" in chosen.reason


def test_a_right_model_on_many_vulnerabilities_is_trusted() -> None:
    group = np.repeat(np.arange(600), 2).astype(str)
    probability, label = np.tile([0.995, 0.005], 600), np.tile([1, 0], 600)
    chosen = choose_threshold(probability, label, group, seed=0)
    assert chosen.accept is not None
    assert chosen.reject is not None
    assert chosen.reject < chosen.accept
    assert chosen.skipped_share.value == 1.0
    assert chosen.false_accept_rate.value == 0.0
    assert 0.0 < chosen.false_accept_rate.high < 0.02


def test_a_model_that_knows_nothing_is_not_trusted() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(600), 2).astype(str)
    chosen = choose_threshold(rng.random(1_200), rng.integers(2, size=1_200), group, seed=0)
    assert chosen.accept is chosen.reject is None
    assert "errors" in chosen.reason


def test_the_same_seed_chooses_the_same() -> None:
    data = _draw("calibrated", np.random.default_rng(2), 300)
    assert choose_threshold(*data, alpha=0.1, seed=4) == choose_threshold(*data, alpha=0.1, seed=4)


def test_an_interval_counts_vulnerabilities_and_not_patches() -> None:
    """A hundred patches of one vulnerability say no more than one would."""
    ones = np.ones(100, dtype=int)
    _, one, _ = operating_point(np.ones(100), ones, np.repeat("a", 100), 0.5, None)
    _, many, _ = operating_point(np.ones(100), ones, np.arange(100).astype(str), 0.5, None)
    assert one.value == many.value == 0.0
    assert one.high > 0.7
    assert many.high < 0.05


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_levels_outside_the_unit_interval_are_refused(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_threshold(np.ones(1), np.ones(1, dtype=int), np.array(["a"]), alpha=level, seed=0)
