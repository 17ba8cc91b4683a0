"""``crisol ab`` and ``crisol db`` print what the store holds; a wrong option is one line and an exit code."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol.abtest import HashSampler, MemoryStore
from crisol.abtest.runner import Experiment, run
from crisol.abtest.store import Switch
from crisol.abtest.trial import trial_id
from crisol.cli import app
from crisol.config import Settings
from crisol.errors import ExperimentError, SettingsError
from crisol.model.policy import Policy
from crisol.records import Outcome, Reason, Trial
from crisol.wiring import open_journaled_trials, open_trials
from support.arms import CHALLENGER, CHAMPION, PATCHES

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DATABASE_URL", "POSTGRES_HOST", "AB_TEST_RATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return Settings(root=tmp_path)


@pytest.fixture
def filled(settings: Settings) -> int:
    experiment = Experiment("e1", (CHAMPION, CHALLENGER), HashSampler(0.5, "s"), policy=Policy(0.6, 0.4))
    with closing(open_trials(settings)) as store:
        return len(list(run(experiment, PATCHES, store, start=NOW - dt.timedelta(hours=12))))


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_status_shows_the_switch_and_every_arm(filled: int) -> None:
    text = invoke("ab", "status")
    assert "enabled, rate 0.1" in text
    assert f"{filled} trials, {filled} in the last 24 h" in text
    assert re.search(r"e1\s+champion\s+m1", text)
    assert re.search(r"e1\s+challenger\s+m2", text)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="nothing here mounts a folder read-only")
def test_trials_on_a_read_only_disk_can_be_read(settings: Settings, filled: int) -> None:
    """As with a copy of mlruns that somebody else keeps; what would write says that it cannot."""
    frozen = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(settings.runs), str(settings.runs)]
    for command, code, said in (("status", 0, f"{filled} trials"), ("disable", 69, "read-only")):
        done = subprocess.run(
            [*frozen, sys.executable, "-m", "crisol", "ab", command],
            env={**os.environ, "CRISOL_ROOT": str(settings.root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert said in done.stdout + done.stderr


def test_results_are_those_of_the_groups_asked_for(filled: int) -> None:
    rows = json.loads(invoke("ab", "results", "--json"))
    assert {row["arm"] for row in rows} == {"champion", "challenger"}
    assert sum(row["n"] for row in rows) == filled
    windows = json.loads(invoke("ab", "results", "--by", "window", "--json"))
    assert [row["window"] for row in windows] == ["1h", "24h", "7d", "30d"]
    assert windows[1]["n"] == filled
    assert json.loads(invoke("ab", "results", "--window", "1m", "--json")) == []
    text = invoke("ab", "results", "--by", "cwe", "--arm", "champion", "--disagreements", "3")
    assert "CWE-79" in text
    assert text.count("wargame: ") == 3


def test_everything_that_is_listed_or_judged_is_there_as_json(filled: int) -> None:
    status = json.loads(invoke("ab", "status", "--json"))
    assert status["trials"] == filled
    assert sum(row["conclusive"] + row["inconclusive"] for row in status["arms"]) == filled
    assert status["switch"]["rate"] == 0.1
    (watched,) = json.loads(CliRunner().invoke(app, ["ab", "watch", "--json"]).output)
    assert watched["experiment"] == "e1"
    assert {row["of"] for row in watched["watches"]} >= {"champion", "challenger"}
    assert json.loads(invoke("ab", "plan", "--margin", "0.1", "--json"))["patches"] > 0
    assert all(step["applied_at"] for step in json.loads(invoke("db", "status", "--json")))


def test_a_narrow_terminal_cuts_no_interval_short(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crisol.cli.ab.out.width", 80, raising=False)
    text = invoke("ab", "results")
    assert len(re.findall(r"\d\.\d{3} to \d\.\d{3}", text)) == 12
    assert "…" not in text


def test_two_arms_are_compared(filled: int) -> None:
    comparison = json.loads(invoke("ab", "compare", "champion", "challenger", "--json"))
    assert comparison["low"] <= comparison["difference"] <= comparison["high"]
    assert "McNemar" in invoke("ab", "compare", "champion", "challenger", "--experiment", "e1")
    with pytest.raises(ExperimentError, match="there are: challenger, champion"):
        invoke("ab", "compare", "champion", "oracle")


def test_a_plan_says_how_long_it_takes(settings: Settings) -> None:
    text = invoke("ab", "plan", "--difference", "0.05", "--unsure", "0", "--per-day", "312")
    assert "312 trials' worth" in text
    assert "3120 patches must arrive (10.0 days)" in " ".join(text.split())
    with pytest.raises(ExperimentError, match="either difference or margin"):
        invoke("ab", "plan")


def test_the_switch_stays_where_it_was_put(settings: Settings) -> None:
    invoke("ab", "enable", "--rate", "0.3", "--salt", "autumn")
    invoke("ab", "disable")
    with closing(open_trials(settings)) as store:
        assert store.switch() == Switch(enabled=False, rate=0.3, salt="autumn")
    with pytest.raises(SettingsError, match="within 0"):
        invoke("ab", "enable", "--rate", "3")


def test_wrong_groups_and_windows_are_refused(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["ab", "results", "--by", "moon"])
    assert done.exit_code == 2
    assert "choose from" in done.output
    with pytest.raises(ExperimentError, match="such as 90m"):
        invoke("ab", "results", "--window", "fortnight")


@pytest.mark.parametrize(
    "options", [("--by", "window", "--window", "24h"), ("--json", "--disagreements", "3")]
)
def test_options_of_the_results_that_exclude_each_other_are_refused(
    filled: int, options: tuple[str, ...]
) -> None:
    """No option is left without effect in silence."""
    done = CliRunner().invoke(app, ["ab", "results", *options])
    assert done.exit_code == 2
    assert "leave out" in done.output


def test_a_new_database_lacks_its_migrations_until_it_is_upgraded(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["db", "status"])
    assert done.exit_code == 1
    assert "missing" in done.output
    assert "applied 0001 trials" in invoke("db", "upgrade")
    assert "nothing to apply" in invoke("db", "upgrade")
    assert "missing" not in invoke("db", "status")


def test_a_service_keeps_its_trials_while_the_database_is_away(settings: Settings) -> None:
    """Nobody answers at that address: the journal takes the trial, and the embedded store gets it later."""
    trial = next(
        run(
            Experiment("e", (CHAMPION,), HashSampler(1.0, "s")),
            PATCHES[:50],
            MemoryStore(),
            start=NOW - dt.timedelta(hours=1),
        )
    )
    away = settings.model_copy(update={"postgres_host": str(settings.root / "no-socket-here")})
    with closing(open_journaled_trials(away)) as store:
        assert store.append([trial]) == 0
    with closing(open_journaled_trials(settings)) as store:
        assert store.replay().replayed == 1
        assert list(store.read()) == [trial]


def test_watch_finds_nothing_where_nothing_changed(settings: Settings) -> None:
    with closing(open_trials(settings)) as store:
        store.append(list(_turning(400, right=400)))
    text = invoke("ab", "watch", "--experiment", "e2")
    assert text.count("nothing") == 2
    assert "as due" in text


def test_watch_raises_an_alarm_when_a_model_confuses_its_classes(settings: Settings) -> None:
    """Right in the first half, wrong in the second: the command fails and says since when."""
    trials = list(_turning(400, right=200))
    with closing(open_trials(settings)) as store:
        store.append(trials)
    done = CliRunner().invoke(app, ["ab", "watch"])
    assert done.exit_code == 1
    alarm = re.search(r"errors .* alarm at trial (\d+), since\s+about (\d+)", done.output)
    assert alarm is not None
    assert 200 < int(alarm[1]) <= 260
    assert 180 <= int(alarm[2]) <= 230
    assert re.search(r"calibration .* alarm at trial 2\d\d,", done.output)


def test_watch_sees_that_other_patches_arrive(settings: Settings) -> None:
    """All valid and all predicted so after the first half: right as ever, and still drift."""
    trials = [*_turning(200, right=200), *(t for t in _turning(800, right=800) if int(t.patch[1:]) >= 200)]
    later = [t for n, t in enumerate(trials) if n < 200 or t.outcome is Outcome.VALID]
    with closing(open_trials(settings)) as store:
        store.append(later)
    done = CliRunner().invoke(app, ["ab", "watch"])
    assert (done.exit_code, "drift" in done.output) == (1, True)


def test_watch_sees_an_arm_that_loses_its_trials(settings: Settings) -> None:
    """A third of what was due is there, as with workers that die."""
    with closing(open_trials(settings)) as store:
        store.append([*_turning(400, right=400), *_turning(400, right=400, arm="other", every=3)])
    done = CliRunner().invoke(app, ["ab", "watch"])
    assert (done.exit_code, "mismatch" in done.output) == (1, True)
    assert "mismatch" not in invoke("ab", "watch", "--share", "other=0.3333")


def test_an_arm_with_too_few_trials_keeps_no_other_from_its_watch(settings: Settings) -> None:
    """An arm that began a moment ago is named, and its number of trials is examined."""
    with closing(open_trials(settings)) as store:
        store.append([*_turning(400, right=200), *_turning(1, right=1, arm="other")])
    done = CliRunner().invoke(app, ["ab", "watch"])
    assert done.exit_code == 1
    assert re.search(r"errors .* alarm at trial", done.output)
    assert re.search(r"other .* too few conclusive trials", done.output)
    (document,) = json.loads(CliRunner().invoke(app, ["ab", "watch", "--json"]).output)
    assert document["unwatched"] == ["other"]
    assert {row["of"] for row in document["drifts"]} == {"champion"}


def test_arms_of_unlike_experiments_are_never_pooled(settings: Settings) -> None:
    """Each is well by itself; one after the other the arm would look as if it had become worse."""
    unsure = [
        replace(
            t,
            id=trial_id("e3", t.arm, t.patch, "v", "m1"),
            experiment="e3",
            probability=0.6 if (t.outcome is Outcome.VALID) == (n % 5 < 3) else 0.4,
        )
        for n, t in enumerate(_turning(200, right=200))
    ]
    with closing(open_trials(settings)) as store:
        store.append([*_turning(200, right=200), *unsure])
    text = invoke("ab", "watch")
    assert text.count("experiment e") == 2
    assert "alarm" not in text
    with pytest.raises(ExperimentError, match="--experiment"):
        invoke("ab", "watch", "--share", "champion=1")
    with pytest.raises(ExperimentError, match="one of e2, e3"):
        invoke("ab", "compare", "champion", "challenger")


@pytest.mark.parametrize("arguments", [["--share", "x"], ["--share", "=1"], ["--share", "champion=a"]])
def test_watch_names_a_share_that_is_none(filled: int, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["ab", "watch", *arguments])
    assert done.exit_code == 2
    assert "--share" in done.output


def test_watch_without_trials_says_so(settings: Settings) -> None:
    with pytest.raises(ExperimentError, match="no trials of experiment 'x'"):
        invoke("ab", "watch", "--experiment", "x")


def _turning(count: int, *, right: int, arm: str = "champion", every: int = 1) -> Iterator[Trial]:
    """Yield every ``every``-th trial of a calibrated model that is right nine times in ten.

    After ``right`` trials it takes one class for the other.
    """
    rng = random.Random(1)
    for n in range(count):
        valid = n % 2 == 0
        sure = 0.9 if (rng.random() < 0.9) == (n < right) else 0.1
        if n % every:
            continue
        yield Trial(
            id=trial_id("e2", arm, f"p{n}", "v", "m1"),
            patch=f"p{n}",
            vulnerability="v",
            cwe="CWE-79",
            experiment="e2",
            arm=arm,
            model_version="m1",
            feature_version="1",
            probability=sure if valid else 1.0 - sure,
            outcome=Outcome.VALID if valid else Outcome.INVALID,
            reason=None if valid else Reason.EXPLOIT_SURVIVES,
            sampling_probability=1.0,
            predict_seconds=0.001,
            wargame_seconds=0.5,
            created_at=NOW - dt.timedelta(hours=12) + dt.timedelta(seconds=n),
        )
