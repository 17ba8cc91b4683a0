"""Tables of estimates: what the command line, the notebook and the service show."""

from __future__ import annotations

import datetime as dt

import pytest

from crisol.abtest import HashSampler, MemoryStore, Slice, TrialFilter
from crisol.abtest.results import (
    compare_arms,
    disagreements,
    results,
    status,
    trajectory,
    window,
    window_results,
)
from crisol.abtest.runner import Experiment, run
from crisol.errors import ExperimentError
from crisol.model.policy import Policy
from support.arms import CHALLENGER, CHAMPION, PATCHES

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STEP = dt.timedelta(minutes=10)
NOW = START + len(PATCHES) * STEP


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    kept = MemoryStore(clock=lambda: NOW)
    experiment = Experiment("e", (CHAMPION, CHALLENGER), HashSampler(0.5, "s"), policy=Policy(0.6, 0.4))
    list(run(experiment, PATCHES, kept, start=START, step=STEP))
    return kept


def test_each_group_has_a_row_and_the_groups_add_up(store: MemoryStore) -> None:
    whole = results(store)
    for by in (Slice.ARM, Slice.CWE, Slice.BAND, Slice.DAY):
        table = results(store, by=[by])
        assert table["n"].sum() == whole["n"].iloc[0]
        assert (
            (table["accuracy_low"] <= table["accuracy"]) & (table["accuracy"] <= table["accuracy_high"])
        ).all()


def test_longer_windows_hold_shorter_ones_and_empty_ones_have_no_estimate(store: MemoryStore) -> None:
    table = window_results(store, NOW).set_index("window")
    assert list(table.index) == ["1h", "24h", "7d", "30d"]
    assert table["n"].is_monotonic_increasing
    assert table.loc["30d", "n"] == len(list(store.read()))
    late = window_results(store, NOW + dt.timedelta(days=365))
    assert late["n"].sum() == 0
    assert late["accuracy"].isna().all()


@pytest.mark.parametrize(("text", "hours"), [("90m", 1.5), ("24h", 24), ("14d", 336)])
def test_a_window_is_a_number_and_a_unit(text: str, hours: float) -> None:
    assert window(text) == dt.timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "0h", "1w", "-1h", "1.5h", "9999d", "٣h", "1h; drop table trials"])
def test_any_other_window_is_refused(text: str) -> None:
    with pytest.raises(ExperimentError, match="such as 90m"):
        window(text)


def test_arms_are_compared_over_the_patches_that_both_predicted(store: MemoryStore) -> None:
    found, sequence = compare_arms(store, "champion", "challenger")
    assert found.n == len(list(store.read(TrialFilter(arm="challenger"))))
    assert sequence.low.size == found.n
    assert found.low <= found.difference <= found.high
    with pytest.raises(ExperimentError, match="no trials of arm 'x'; there are: challenger, champion"):
        compare_arms(store, "champion", "x")


def test_the_status_counts_what_is_there(store: MemoryStore) -> None:
    found = status(store, NOW)
    assert found.trials == sum(found.arms.values()) == len(list(store.read()))
    assert 0 < found.last_day < found.trials
    assert not found.switch.enabled


def test_a_trajectory_ends_in_the_estimate_and_holds_it(store: MemoryStore) -> None:
    where = TrialFilter(arm="champion")
    path = trajectory(store.read(where), max_weight=2.0)
    assert path["accuracy"].iloc[-1] == pytest.approx(results(store, where)["accuracy"].iloc[0])
    assert (path["low"] <= path["high"]).all()


def test_the_most_confident_mistakes_come_first(store: MemoryStore) -> None:
    table = disagreements(store.read())
    assert table["confidence"].is_monotonic_decreasing
    assert len(table) == sum(trial.correct is False for trial in store.read())
    assert table["disagreement"].str.startswith("model 0.").all()
