"""Estimates against scikit-learn and statsmodels, and against simulation where nobody has the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from crisol.abtest.confusion import METRICS, Estimate, metrics, proportion, wilson
from crisol.abtest.tally import Cell, Tally

counts = st.integers(0, 300)
weights = st.sampled_from([1.0, 2.0, 10.0])


def cell(n: int, weight: float = 1.0) -> Cell:
    return Cell(n, n * weight, n * weight * weight)


@given(counts, counts, counts, counts, weights, weights)
def test_point_estimates_are_those_of_scikit_learn(
    tp: int, fp: int, fn: int, tn: int, sure: float, unsure: float
) -> None:
    """Two strata of different weight, summed, against scikit-learn's ``sample_weight``."""
    tally = Tally(cell(tp, sure), cell(fp, unsure), cell(fn, sure), cell(tn, unsure))
    if not tally.n:
        return
    truth = [1] * tp + [0] * fp + [1] * fn + [0] * tn
    guess = [1] * tp + [1] * fp + [0] * fn + [0] * tn
    weight = [sure] * tp + [unsure] * fp + [sure] * fn + [unsure] * tn
    got = metrics(tally)
    assert got.accuracy.value == pytest.approx(accuracy_score(truth, guess, sample_weight=weight))
    checks = [
        (got.precision, precision_score, tp + fp),
        (got.recall, recall_score, tp + fn),
        (got.f1, f1_score, tp + fp + fn),
    ]
    for estimate, score, n in checks:
        assert estimate.n == n
        if n:
            assert estimate.value == pytest.approx(score(truth, guess, sample_weight=weight))
        else:
            assert math.isnan(estimate.value)
    if min(tp + fp, tp + fn, tn + fp, tn + fn):
        assert got.mcc.value == pytest.approx(matthews_corrcoef(truth, guess, sample_weight=weight), abs=1e-9)
    else:
        assert math.isnan(got.mcc.value)


@given(st.integers(0, 500), st.integers(0, 500), weights, st.sampled_from([0.8, 0.95, 0.99]))
def test_with_equal_weights_the_interval_is_wilsons(
    hits: int, misses: int, weight: float, level: float
) -> None:
    if hits + misses == 0:
        return
    low, high = proportion_confint(hits, hits + misses, alpha=1 - level, method="wilson")
    got = proportion([cell(hits, weight)], [cell(misses, weight)], level)
    assert (got.low, got.high) == pytest.approx((low, high), abs=1e-9)
    assert got.effective_n == pytest.approx(hits + misses)


@given(counts, counts, counts, counts, weights, weights, weights)
def test_every_interval_holds_its_estimate_and_stays_in_range(
    tp: int, fp: int, fn: int, tn: int, a: float, b: float, c: float
) -> None:
    got = metrics(Tally(cell(tp, a) + cell(tn, b), cell(fp, b), cell(fn, a), cell(tn, c)))
    for name in METRICS:
        estimate: Estimate = getattr(got, name)
        if not math.isnan(estimate.value):
            floor = -1.0 if name == "mcc" else 0.0
            assert floor <= estimate.low <= estimate.value <= estimate.high <= 1.0


def test_wilson_of_newcombes_worked_example() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def simulate(rng: np.random.Generator, n: int, rate: float) -> tuple[Tally, Tally]:
    """Sample a stream of patches of which a quarter are unsure; return the weighted and the naive tally."""
    unsure = rng.random(n) < 0.25
    valid = rng.random(n) < 0.5
    wrong = rng.random(n) < np.where(unsure, 0.30, 0.03)
    sampled = unsure | (rng.random(n) < rate)
    guess = valid ^ wrong
    weight = np.where(unsure, 1.0, 1.0 / rate)
    cells, naive = [], []
    for g, v in ((True, True), (True, False), (False, True), (False, False)):
        w = weight[sampled & (guess == g) & (valid == v)]
        cells.append(Cell(len(w), float(w.sum()), float((w**2).sum())))
        naive.append(cell(len(w)))
    return Tally(*cells), Tally(*naive)


TRUTH = {"accuracy": 1 - (0.25 * 0.30 + 0.75 * 0.03), "false_accept_rate": 0.25 * 0.30 + 0.75 * 0.03}
TRUTH |= {
    "precision": TRUTH["accuracy"],
    "recall": TRUTH["accuracy"],
    "f1": TRUTH["accuracy"],
    "prevalence": 0.5,
}
TRUTH["mcc"] = 2 * TRUTH["accuracy"] - 1


@pytest.mark.parametrize(("n", "rate"), [(400, 0.10), (2_000, 0.10), (2_000, 0.30)])
def test_weighted_intervals_cover_the_truth_and_naive_ones_do_not(n: int, rate: float) -> None:
    rng = np.random.default_rng(20_260_517)
    runs = 500
    covered = dict.fromkeys(METRICS, 0)
    naively = 0
    for _ in range(runs):
        weighted, naive = simulate(rng, n, rate)
        got = metrics(weighted)
        for name in METRICS:
            covered[name] += getattr(got, name).low <= TRUTH[name] <= getattr(got, name).high
        naively += metrics(naive).accuracy.low <= TRUTH["accuracy"] <= metrics(naive).accuracy.high
    # Three standard errors of a coverage of 0.95 over 500 runs are 0.029.
    assert min(covered.values()) / runs >= 0.92, covered
    assert naively / runs < (0.30 if n > 1_000 or rate < 0.2 else 0.6)


def test_an_empty_tally_knows_nothing() -> None:
    got = metrics(Tally(inconclusive=3))
    assert (got.n, got.inconclusive) == (0, 3)
    assert all(math.isnan(getattr(got, name).value) for name in METRICS)
