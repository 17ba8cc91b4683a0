"""The A/B experiment keeps its trials.

Run it twice, kill it, the table is the same and nothing is doubled.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crisol.config import Settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.ab_experiment import ExperimentResult, experiment, sweep
from crisol.wiring import open_trials
from support.tables import corpus

VARIANTS = Path(__file__).parents[2] / "experiments" / "variants.yaml"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "experiments").mkdir()
    shutil.copy(VARIANTS, tmp_path / "experiments")
    return Settings(root=tmp_path, database_url=None, postgres_host=None, ab_test_rate=0.2)


def trials_kept(settings: Settings) -> int:
    with closing(open_trials(settings)) as store:
        return len(list(store.read()))


def same(result: ExperimentResult, other: ExperimentResult) -> bool:
    return (
        result.table.equals(other.table)
        and result.trajectory.equals(other.trajectory)
        and result.disagreements.equals(other.disagreements)
        and result.confusions == other.confusions
    )


def test_running_it_again_gives_the_same_table_and_no_new_trial(settings: Settings) -> None:
    first = experiment(settings, corpus(), 0, variants=["text_linear", "boosting"])
    kept = trials_kept(settings)
    assert kept == first.table[first.table["measure"] == "accuracy"]["trials"].sum()
    assert same(experiment(settings, corpus(), 0, variants=["text_linear", "boosting"]), first)
    assert trials_kept(settings) == kept


def test_other_parameters_are_another_experiment(settings: Settings) -> None:
    experiment(settings, corpus(), 0, variants=["text_linear"])
    kept = trials_kept(settings)
    other = experiment(settings, corpus(), 0, variants=["text_linear"], rate=1.0)
    assert trials_kept(settings) == kept + 150
    assert (other.table["naive"] == other.table["estimate"]).all()
    assert (other.table["whole"] == other.table["estimate"]).all()


@pytest.mark.integration
def test_killed_in_the_middle_and_run_again_it_ends_as_if_nothing_had_happened(settings: Settings) -> None:
    """The first hundred patches are stored when the process dies by SIGKILL."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from crisol.backends.duckdb import DuckDBStore
from crisol.config import Settings
from crisol.lab.ab_experiment import experiment
from support.tables import corpus
append = DuckDBStore.append
def once(self, trials):
    append(self, trials)
    os.kill(os.getpid(), signal.SIGKILL)
DuckDBStore.append = once
settings = Settings(root=Path({str(settings.root)!r}), database_url=None, postgres_host=None,
                    ab_test_rate=0.2)
experiment(settings, corpus(), 0, variants=["text_linear"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    started = trials_kept(settings)
    finished = experiment(settings, corpus(), 0, variants=["text_linear"])
    assert 0 < started < trials_kept(settings)
    undisturbed = settings.model_copy(update={"root": settings.root / "other"})
    shutil.copytree(settings.root / "experiments", undisturbed.root / "experiments")
    assert same(experiment(undisturbed, corpus(), 0, variants=["text_linear"]), finished)


def test_the_weighted_estimate_is_nearer_to_the_truth_than_the_naive_figure(settings: Settings) -> None:
    """Where the model is right less often when it is unsure, counting alike describes the wrong patches."""
    table = experiment(settings, corpus(1200), 0, variants=["boosting"]).table.set_index("measure")
    accuracy = table.loc["accuracy"]
    assert accuracy["naive"] < accuracy["low"] <= accuracy["whole"] <= accuracy["high"]


def test_what_cannot_be_sampled_or_is_unknown_is_said(settings: Settings) -> None:
    with pytest.raises(DatasetError, match="no patch was sampled at rate 0"):
        experiment(settings, corpus(), 0, variants=["text_linear"], rate=0.0, errors=0.99)
    with pytest.raises(ExperimentError, match="unknown variant 'oracle'"):
        experiment(settings, corpus(), 0, variants=["oracle"])
    with pytest.raises(ExperimentError, match="spoiled_after"):
        experiment(settings, corpus(), 0, variants=["text_linear"], spoiled_after=2.0)
    with pytest.raises(ExperimentError, match="rates is empty"):
        sweep(settings, corpus(), 0, [])


def test_the_alarm_fires_after_the_champion_confused_its_classes_and_not_before(settings: Settings) -> None:
    """Half of the 600 patches come before the change, and the trial at which it began is found."""
    spoiled = experiment(settings, corpus(1200), 0, variants=["boosting"], rate=1.0, spoiled_after=0.5)
    alarms = spoiled.alarms.set_index("watch")
    assert 300 < alarms.loc["errors", "raised_at"] < 400
    assert abs(alarms.loc["errors", "began_at"] - 301) < 25
    well = experiment(settings, corpus(1200), 0, variants=["boosting"], rate=1.0)
    assert well.alarms.set_index("watch")["raised_at"].isna()["errors"]
    assert len(list(well.steps("boosting"))) >= 50


def test_an_experiment_on_a_few_vulnerabilities_has_no_interval(settings: Settings) -> None:
    """Trials of three vulnerabilities say nothing of others, however many they are."""
    frame = corpus()
    few = frame[frame["vulnerability"].isin(["v1", "v2", "v3"])]
    result = experiment(settings, few, 0, variants=["text_linear", "boosting"], rate=1.0)
    assert result.table["estimate"].notna().all()
    for table in (result.table, result.trajectory, result.comparison):
        assert table[["low", "high"]].isna().all(axis=None)


def test_the_champion_is_compared_with_each_challenger_on_the_same_patches(settings: Settings) -> None:
    result = experiment(settings, corpus(), 0, variants=["text_linear", "boosting"])
    row = result.comparison.iloc[0]
    assert (row["first"], row["second"]) == ("text_linear", "boosting")
    accuracy = result.table[result.table["measure"] == "accuracy"].set_index("arm")
    assert row["n"] == accuracy.loc["text_linear", "trials"]
    for arm, (tp, fp, fn, tn) in result.confusions.items():
        assert (tp + tn) / (tp + fp + fn + tn) == pytest.approx(accuracy.loc[arm, "estimate"]), "weighted"
    assert row["low"] <= row["difference"] <= row["high"]


def test_a_sweep_costs_more_wargames_and_ends_at_the_truth(settings: Settings) -> None:
    table = sweep(settings, corpus(600), 0, [0.1, 0.4, 1.0], variants=["boosting"])
    assert table["wargamed"].is_monotonic_increasing
    assert table["estimate"].iloc[-1] == table["naive"].iloc[-1] == table["whole"].iloc[-1]
    assert ((table["low"] <= table["whole"]) & (table["whole"] <= table["high"])).all()
