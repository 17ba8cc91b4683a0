"""The alarm fires when a model gets worse, says when that began, and keeps quiet otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from crisol.abtest.drift import calibration_drift, input_drift, psi, worsening
from crisol.abtest.watch import predicted_drift, watch
from crisol.errors import ExperimentError, InputError
from crisol.records import Outcome
from support.trials import make_trial


def test_a_model_that_gets_worse_halfway_raises_the_alarm_soon_after() -> None:
    rng = np.random.default_rng(1)
    errors = np.concatenate([rng.random(1000) < 0.1, rng.random(1000) < 0.3]).astype(float)
    alarm = worsening(errors, 0.12)
    assert alarm.raised_at is not None
    assert alarm.began_at is not None
    assert 1000 < alarm.raised_at < 1200
    assert abs(alarm.began_at - 1000) < 60


def test_weighted_trials_raise_it_too() -> None:
    """Of 20,000 patches a quarter is sampled; only those that the model is sure of get worse."""
    rng = np.random.default_rng(2)
    unsure = rng.random(20_000) < 0.1
    wrong = rng.random(20_000) < np.where(unsure, 0.4, np.where(np.arange(20_000) < 10_000, 0.05, 0.3))
    taken = np.flatnonzero(unsure | (rng.random(20_000) < 0.25))
    weights = np.where(unsure[taken], 1.0, 4.0)
    alarm = worsening(wrong[taken].astype(float), 0.10, weights, max_weight=4.0)
    assert alarm.raised_at is not None
    assert 10_000 < taken[alarm.raised_at] < 12_000


def test_false_alarms_are_as_rare_as_promised() -> None:
    """With a run length of 2,000, at most half of 200 streams of 1,000 baseline trials raise one (Markov)."""
    rng = np.random.default_rng(3)
    raised = sum(
        worsening((rng.random(1000) < 0.2).astype(float), 0.2, run_length=2000.0).raised_at is not None
        for _ in range(200)
    )
    assert raised / 200 < 0.5


def test_probabilities_that_stop_meaning_what_they_say_raise_the_alarm() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(3000)
    honest = (rng.random(3000) < p).astype(float)
    assert calibration_drift(p, honest).raised_at is None
    overconfident = np.where(np.arange(3000) < 1500, p, 0.5 + (p - 0.5) * 0.2 - 0.15)
    alarm = calibration_drift(p, (rng.random(3000) < overconfident).astype(float))
    assert alarm.raised_at is not None
    assert alarm.raised_at > 1500


@pytest.mark.parametrize("shape", [(0.5, 0.5), (4.0, 4.0)], ids=["sharp", "dull"])
def test_confused_classes_raise_it_and_honest_probabilities_do_not(shape: tuple[float, float]) -> None:
    """In 200 streams of 400 trials, classes confused after 100 are nearly always noticed within 200 more.

    The share of valid patches stays as predicted, so that only the confidence tells. Honest streams may raise
    40 % at a run length of 1,000 (Markov); that they raise next to none shows how much the bound leaves.
    """
    rng = np.random.default_rng(6)
    noticed = false = 0
    for _ in range(200):
        p = rng.beta(*shape, size=400)
        valid = (rng.random(400) < p).astype(float)
        confused = np.where(np.arange(400) < 100, p, 1.0 - p)
        raised = calibration_drift(confused, valid, run_length=1000.0).raised_at
        noticed += raised is not None and 100 <= raised < 300
        false += calibration_drift(p, valid, run_length=1000.0).raised_at is not None
    assert noticed >= 190
    assert false <= 4


def test_overconfidence_that_was_there_before_is_tolerated() -> None:
    """A model that is right in 75 % while it claims more raises the alarm, unless its reference said so."""
    rng = np.random.default_rng(7)
    p = np.where(rng.random(2000) < 0.5, 0.95, 0.05)
    valid = np.where(rng.random(2000) < 0.75, p >= 0.5, p < 0.5).astype(float)
    assert calibration_drift(p, valid, run_length=1000.0).raised_at is not None
    assert calibration_drift(p, valid, tolerated=0.22, run_length=1000.0).raised_at is None


def test_the_stability_index_is_the_one_of_the_textbook() -> None:
    """Two halves become a quarter and three quarters: by hand 0.25 ln 2 + 0.25 ln 1.5 = 0.25 ln 3."""
    old = np.repeat([0.0, 1.0], 50_000)
    new = np.repeat([0.0, 1.0], [25_000, 75_000])
    assert psi(old, new, bins=2) == pytest.approx(0.25 * np.log(3.0), abs=1e-3)
    assert psi(old, old) == pytest.approx(0.0)


def test_the_changed_feature_is_found_among_those_that_are_not() -> None:
    """p-values are adjusted as statsmodels does by Holm."""
    rng = np.random.default_rng(5)
    old = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
    new = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
    new["c"] += 0.6
    table = input_drift(old, new)
    assert table["feature"].iloc[0] == "c"
    assert (table["adjusted_p_value"] < 0.01).sum() == 1
    _, adjusted, _, _ = multipletests(table["p_value"], method="holm")
    assert table["adjusted_p_value"].to_numpy() == pytest.approx(adjusted)


def test_a_column_that_is_numeric_in_one_table_only_is_left_out() -> None:
    old = pd.DataFrame({"a": [1, 2], "b": [1, 2], "c": ["x", "y"]})
    new = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1, 2]})
    assert list(input_drift(old, new)["feature"]) == ["a"]


@pytest.mark.parametrize("missing", [np.nan, np.inf, pd.NA])
def test_a_value_that_is_missing_has_no_distribution(missing: object) -> None:
    """A p-value of nan would look like one without drift."""
    whole = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    broken = pd.DataFrame({"a": pd.array([1.0, missing, 3.0], dtype="Float64")})
    for old, new in ((whole, broken), (broken, whole)):
        with pytest.raises(InputError, match="column 'a' has a value"):
            input_drift(old, new)


def test_predictions_are_compared_as_errors_are_if_the_reference_is_nearly_all() -> None:
    """The last trial is never part of the reference."""
    trials = [make_trial(number, outcome=Outcome.VALID, reason=None) for number in range(3)]
    assert watch("a", trials, reference=0.9)[0].baseline == 2
    assert len(predicted_drift(trials, 0.9)) == 2
    with pytest.raises(ExperimentError, match=r"reference is 1\.5"):
        predicted_drift(trials, 1.5)
    with pytest.raises(InputError, match="current 1; both need one"):
        predicted_drift(trials[:1])


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="error 1 is 2"):
        worsening([0.0, 2.0], 0.1)
    with pytest.raises(InputError, match="exceeds max_weight"):
        worsening([1.0, 1.0], 0.1, [4.0, 4.0], max_weight=2.0)
    with pytest.raises(InputError, match="3 weights and 2 errors"):
        worsening([1.0, 1.0], 0.1, [1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="baseline"):
        worsening([0.0], 0.0)
    with pytest.raises(InputError, match="2 probabilities and 1"):
        calibration_drift([0.1, 0.2], [1.0])
    with pytest.raises(InputError, match=r"tolerated is 0\.5"):
        calibration_drift([0.1], [1.0], tolerated=0.5)
    with pytest.raises(InputError, match="no numeric column"):
        input_drift(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}))
    with pytest.raises(InputError, match="reference has 0 rows"):
        input_drift(pd.DataFrame({"a": []}, dtype=float), pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="both sides"):
        psi([], [1.0])
