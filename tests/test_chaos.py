"""Chaos: faults are really injected, expectations decide, and what cannot be run is said to be not run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from crisol.errors import ExperimentError
from crisol.lab import chaostest
from crisol.lab.chaos.episode import Episode
from crisol.lab.chaos.expectations import expected, hold
from crisol.lab.chaos.faults import FAULTS, NOT_RUN, chosen
from crisol.lab.chaos.run import breakers_open
from crisol.lab.load.result import Result
from crisol.lab.servers.enclosure import EnclosureRefused
from processes import are_gone, descendants

ROOT = Path(__file__).parents[1]


def episode(failed_at: list[float], open_at: list[float], lost: int = 0) -> Episode:
    """Return ten seconds of one request a second, with a fault from 3 to 5."""
    times = [float(second) for second in range(11)]
    samples = pd.DataFrame(
        {"intended": times, "failed": [at in failed_at for at in times], "degraded": "", "latency_ms": 1.0}
    )
    breakers = pd.DataFrame({"time": times, "open": ["cache" if at in open_at else "" for at in times]})
    result = Result(samples, {"wrong_answers": 0.0}, {}, pd.DataFrame())
    return Episode(FAULTS["redis_killed"], result, 3.0, 5.0, breakers, 4, lost)


def test_detection_and_recovery_are_the_first_and_the_last_sign() -> None:
    found = episode([3.0], [4.0, 5.0, 6.0, 7.0]).metrics
    assert (found["detect_s"], found["recover_s"], found["failed"]) == (0.0, 2.0, 1.0)
    unfelt = episode([], []).metrics
    assert unfelt["detect_s"] != unfelt["detect_s"]
    assert unfelt["recover_s"] == 0.0


def test_a_fault_whose_signs_go_on_to_the_end_never_recovers() -> None:
    assert episode([], [4.0, 6.0, 7.0, 8.0, 9.0, 10.0]).metrics["recover_s"] == float("inf")


def test_a_sign_long_after_the_recovery_or_before_the_fault_is_a_stray_one() -> None:
    """A machine that stumbles once must not be read as a fault that lasted."""
    found = episode([1.0, 9.0], [4.0, 6.0]).metrics
    assert (found["detect_s"], found["recover_s"], found["strays"]) == (1.0, 1.0, 2.0)


def test_a_lost_trial_is_missed_whatever_else_is_expected() -> None:
    found = hold([], "redis_killed", episode([], [], lost=1).metrics)
    assert [str(one.target) for one in found if not one.passed] == ["trials_lost <= 0"]


def test_expectations_belong_to_their_fault_or_to_all() -> None:
    texts = ["*: failed <= 1", "redis_hung: failed <= 0", "flood: failed <= 2"]
    assert [str(one) for one in expected(texts, "redis_hung")] == ["failed <= 1", "failed <= 0"]
    for text in ("failed <= 0", "tea: failed <= 0", "flood: failed"):
        with pytest.raises(ExperimentError, match="write"):
            expected([text], "flood")
    with pytest.raises(ExperimentError, match="there are redis_killed"):
        chosen(["tea"])


def test_only_closed_breakers_are_well() -> None:
    states = [{"name": name, "state": name} for name in ("open", "closed", "half_open")]
    assert breakers_open(states) == ["half_open", "open"]


def test_the_experiment_expects_something_of_every_fault_and_runs_none_that_is_not_run() -> None:
    given = yaml.safe_load((ROOT / "experiments" / "chaos.yaml").read_text())["parameters"]
    assert given["faults"] == []
    assert not set(FAULTS) & set(NOT_RUN)
    for name in FAULTS:
        assert any(text.startswith(f"{name}:") for text in given["expectations"]), name


@pytest.mark.integration
def test_a_killed_service_fails_its_expectation_and_the_command() -> None:
    """Requests fail while nobody serves, which is said; no answer is wrong."""
    command = [
        sys.executable,
        "-m",
        "crisol",
        "chaos",
        "service_killed",
        "--expect",
        "service_killed: failed <= 0",
    ]
    command += ["--calm", "1", "--lasting", "1", "--after", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "TargetMissed" in done.stderr
    assert "FAIL failed <= 0" in done.stdout
    assert "pass wrong_answers <= 0" in done.stdout


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_outlives_a_run_that_is_ended_from_outside(number: signal.Signals, tmp_path: Path) -> None:
    """Service, Redis, client and their folders go with the run, whether it may unwind or not."""
    command = [sys.executable, "-m", "crisol", "chaos", "redis_hung", "--lasting", "60", "--after", "60"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL
    ) as run:
        below: dict[int, str] = {}
        deadline = time.monotonic() + 120
        while not any("crisol.lab.load.client" in text for text in below.values()):
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.1)
            below = descendants(run.pid)
        run.send_signal(number)
        run.wait()
    assert any("redis-server" in text for text in below.values())
    assert any("crisol serve" in text for text in below.values())
    assert are_gone(below)
    assert run.returncode == (128 + number if number is signal.SIGTERM else -number)
    kept = {path.name.rpartition("-")[0] for path in tmp_path.iterdir()}
    assert not kept & {"crisol-redis", "crisol-load"}


def test_where_namespaces_are_refused_the_faults_that_need_them_are_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are reported with the kernel's reason, and no other fault is left out."""

    def refuse(*_: object) -> None:
        raise EnclosureRefused("not here")

    monkeypatch.setattr("crisol.lab.servers.enclosure.Enclosure.__enter__", refuse)
    found = dict(chaostest.not_run().to_numpy().tolist())
    assert {name for name, reason in found.items() if reason == "not here"} == {
        "postgres_disk_full",
        "sandbox_refused",
    }
    assert set(found) - {"postgres_disk_full", "sandbox_refused"} == set(NOT_RUN)
