"""Two arms, sample ratios and plans: figures of statsmodels, of the literature, and of simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare
from statsmodels.stats.contingency_tables import mcnemar as reference

from crisol.abtest.compare import Pairs, compare, mcnemar, pair
from crisol.abtest.confusion import wilson
from crisol.abtest.power import Design, detectable_difference, pairs_needed, plan, trials_for_margin
from crisol.abtest.srm import sample_ratio
from crisol.errors import ExperimentError, InputError
from crisol.records import Outcome
from support.trials import make_trial


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 5), (3, 12), (10, 30), (59, 16), (121, 59)])
def test_mcnemars_p_value_is_that_of_statsmodels(b: int, c: int) -> None:
    """(121, 59) is the worked example of Agresti (2002): z² = 21.36."""
    p, method = mcnemar(b, c)
    expected = reference([[50, b], [c, 50]], exact=method == "exact", correction=False).pvalue
    assert p == pytest.approx(expected, rel=1e-9)
    assert method == ("exact" if b + c < 25 else "asymptotic")


def pairs_of(difference: np.ndarray, group: np.ndarray | None = None) -> Pairs:
    groups = np.arange(difference.size) if group is None else group
    return Pairs(difference.astype(float), np.ones(difference.size), groups.astype(np.intp))


def test_a_difference_is_found_and_its_intervals_hold_it() -> None:
    rng = np.random.default_rng(1)
    d = rng.choice([1.0, -1.0, 0.0], p=[0.15, 0.05, 0.8], size=1500)
    found = compare("a", "b", pairs_of(d))
    assert found.p_value < 0.001
    assert found.weighted_p_value == pytest.approx(found.p_value)
    assert found.low < 0.10 < found.high
    assert found.always_low < 0.10 < found.always_high
    assert found.always_high - found.always_low > found.high - found.low
    assert found.only_first_right - found.only_second_right == pytest.approx(found.difference * 1500)


def test_the_bootstrap_resamples_vulnerabilities_and_not_patches() -> None:
    """Ten bugs with forty alike patches each know as little as ten patches do."""
    d = np.repeat([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0], 40)
    alone = compare("a", "b", pairs_of(d))
    grouped = compare("a", "b", pairs_of(d, np.repeat(np.arange(10), 40)))
    assert grouped.high - grouped.low > 4 * (alone.high - alone.low)
    assert grouped.low < 0.0 < alone.low


def test_equal_arms_are_called_different_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(2)
    called = sum(mcnemar(b, 60 - b)[0] < 0.05 for b in rng.binomial(60, 0.5, size=2000))
    assert called / 2000 < 0.07


def test_pairs_are_matched_by_patch_and_contradictions_refused() -> None:
    one = make_trial(1)
    with pytest.raises(InputError, match="twice"):
        pair([one, one], [])
    other = replace(one, outcome=Outcome.INVALID if one.outcome is Outcome.VALID else Outcome.VALID)
    with pytest.raises(InputError, match="the other's"):
        pair([one], [other])
    with pytest.raises(InputError, match="no patch in common"):
        compare("a", "b", pair([one], []))


def test_sample_ratio_agrees_with_scipy_and_sees_what_a_fault_did() -> None:
    even = sample_ratio({"a": 5020, "b": 4980}, {"a": 1.0, "b": 1.0})
    assert even.p_value == pytest.approx(chisquare([5020, 4980]).pvalue)
    assert not even.mismatch
    assert sample_ratio({"a": 5300, "b": 4700}, {"a": 1.0, "b": 1.0}).mismatch
    assert sample_ratio({"a": 1000}, {"a": 1.0, "b": 0.5}).mismatch


def test_sample_ratio_may_be_looked_at_at_any_time() -> None:
    """Fair arms that are looked at every 20 patches are suspected in at most 5 % of the runs."""
    rng = np.random.default_rng(3)
    suspected = 0
    for _ in range(100):
        first = (rng.random(1000) < 0.5).cumsum()
        suspected += any(
            sample_ratio(
                {"a": int(first[n - 1]), "b": n - int(first[n - 1])}, {"a": 1.0, "b": 1.0}
            ).always_p_value
            < 0.05
            for n in range(20, 1001, 20)
        )
    assert suspected <= 5 + 3 * math.sqrt(100 * 0.05 * 0.95)


def test_sample_ratio_refuses_what_are_no_counts() -> None:
    with pytest.raises(InputError, match="counts not below"):
        sample_ratio({"a": -1}, {"a": 1.0})
    with pytest.raises(InputError, match="shares are above 0"):
        sample_ratio({"a": 1}, {"a": 0.0})
    with pytest.raises(InputError, match="have no share"):
        sample_ratio({"x": 1}, {"a": 1.0})


def test_so_many_pairs_give_the_power_that_was_asked_for() -> None:
    rng = np.random.default_rng(4)
    n = pairs_needed(0.05, 0.10)
    counts = rng.multinomial(n, [0.075, 0.025, 0.90], size=2000)
    power = np.mean([mcnemar(int(b), int(c))[0] < 0.05 for b, c, _ in counts])
    assert abs(power - 0.80) < 0.04


def test_the_detectable_difference_undoes_the_number_of_pairs() -> None:
    assert detectable_difference(pairs_needed(0.05, 0.2), 0.2) == pytest.approx(0.05, rel=0.01)
    assert math.isnan(detectable_difference(2, 0.1))


@pytest.mark.parametrize(("margin", "expected"), [(0.05, 0.5), (0.03, 0.9), (0.01, 0.99), (0.2, 0.0)])
def test_so_many_trials_give_the_margin_that_was_asked_for(margin: float, expected: float) -> None:
    n = trials_for_margin(margin, expected)

    def half(trials: int) -> float:
        centre = (expected + 1.96**2 / (2 * trials)) / (1 + 1.96**2 / trials)
        low, high = wilson(expected, trials)
        return max(high - centre, centre - low) if 0 < expected < 1 else high - centre

    assert half(n) <= margin * 1.001
    assert n == 1 or half(n - 1) > margin * 0.999


def test_a_plan_counts_arrivals_wargames_and_days() -> None:
    """At rate 0.1 with a fifth unsure, a patch that arrives knows an eighth of a trial.

    28 % of them are wargamed.
    """
    found = plan(Design(0.1, 0.2, per_day=200.0, wargame_seconds=0.75), difference=0.05)
    assert found.effective_trials == pairs_needed(0.05, 0.10)
    assert found.patches == math.ceil(found.effective_trials * (0.2 + 0.8 / 0.1))
    assert found.wargames == math.ceil(found.patches * 0.28)
    assert found.days == pytest.approx(found.patches / 200)
    assert found.wargame_hours == pytest.approx(found.wargames * 0.75 / 3600)


def test_plans_that_answer_nothing_are_refused() -> None:
    for wrong in (
        {},
        {"difference": 0.1, "margin": 0.1},
        {"difference": 0.2, "discordance": 0.1},
        {"margin": 0.6},
    ):
        with pytest.raises(ExperimentError):
            plan(Design(0.1), **wrong)
    for design in (
        {"rate": 0.0},
        {"rate": 1.5},
        {"rate": 0.1, "per_day": 0.0},
        {"rate": 0.1, "per_day": math.inf},
        {"rate": 0.1, "wargame_seconds": -5.0},
        {"rate": 0.1, "wargame_seconds": math.nan},
        {"rate": 0.1, "unsure": -1.0},
    ):
        with pytest.raises(ExperimentError):
            Design(**design)
