"""Chaos: faults are really injected, expectations decide, and what cannot be run is said to be not run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from crisol.chaos import study
from crisol.chaos.clock import ClockRefused, WallClock
from crisol.chaos.episode import Episode
from crisol.chaos.expectations import expected, hold
from crisol.chaos.faults import FAULTS, allowance, chosen
from crisol.chaos.run import breakers_open
from crisol.errors import ExperimentError
from crisol.loadtest.result import LoadResult
from crisol.loadtest.targets import TargetMissed, require
from crisol.servers.enclosure import EnclosureRefused
from support.processes import are_gone, descendants

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler is installed"
)


def episode(failed_at: list[float], open_at: list[float], lost: int = 0) -> Episode:
    """Return ten seconds of one request a second, with a fault from 3 to 5."""
    times = [float(second) for second in range(11)]
    samples = pd.DataFrame(
        {"intended": times, "failed": [at in failed_at for at in times], "degraded": "", "latency_ms": 1.0}
    )
    samples["source"] = ["model" if at in {4.0, 6.0, 7.0} else "cache" for at in times]
    breakers = pd.DataFrame({"time": times, "open": ["cache" if at in open_at else "" for at in times]})
    result = LoadResult(samples, {"wrong_answers": 0.0}, {}, pd.DataFrame())
    return Episode(FAULTS["redis_killed"], result, 3.0, 5.0, breakers, 4, lost)


def test_detection_and_recovery_are_the_first_and_the_last_sign() -> None:
    figures = episode([3.0], [4.0, 5.0, 6.0, 7.0]).metrics
    assert (figures["detect_s"], figures["recover_s"], figures["failed"]) == (0.0, 2.0, 1.0)
    unfelt = episode([], []).metrics
    assert unfelt["detect_s"] != unfelt["detect_s"]
    assert unfelt["recover_s"] == 0.0


def test_a_fault_whose_signs_go_on_to_the_end_never_recovers() -> None:
    assert episode([], [4.0, 6.0, 7.0, 8.0, 9.0, 10.0]).metrics["recover_s"] == float("inf")


def test_a_sign_long_after_the_recovery_or_before_the_fault_is_a_stray_one() -> None:
    """A machine that stumbles once must not be read as a fault that lasted."""
    figures = episode([1.0, 9.0], [4.0, 6.0]).metrics
    assert (figures["detect_s"], figures["recover_s"], figures["strays"]) == (1.0, 1.0, 2.0)


def test_a_lost_trial_is_missed_whatever_else_is_expected() -> None:
    checked = hold([], "redis_killed", episode([], [], lost=1).metrics)
    assert [str(figure.target) for figure in checked if not figure.passed] == ["trials_lost <= 0"]


def test_what_is_missed_is_told_with_its_fault() -> None:
    with pytest.raises(TargetMissed, match=r"redis_killed: trials_lost <= 0 \(measured 1\)"):
        require(hold([], "redis_killed", episode([], [], lost=1).metrics))


def test_a_breaker_that_closed_in_between_is_drawn_twice() -> None:
    assert episode([], [3.0, 4.0, 8.0]).open_spans == [(3.0, 4.0, "cache"), (8.0, 8.0, "cache")]


def test_expectations_belong_to_their_fault_or_to_all() -> None:
    texts = ["*: failed <= 1", "redis_hung: failed <= 0", "flood: failed <= 2"]
    assert [str(target) for target in expected(texts, "redis_hung")] == ["failed <= 1", "failed <= 0"]
    for text in ("failed <= 0", "tea: failed <= 0", "flood: failed"):
        with pytest.raises(ExperimentError, match="write"):
            expected([text], "flood")
    with pytest.raises(ExperimentError, match="there are redis_killed"):
        chosen(["tea"])


def test_only_closed_breakers_are_well() -> None:
    states = [{"name": name, "state": name} for name in ("open", "closed", "half_open")]
    assert breakers_open(states) == ["half_open", "open"]


def test_hits_during_the_fault_are_held_against_those_beside_it() -> None:
    """One of two during it, seven of nine beside it; nothing without a cache."""
    assert episode([], []).metrics["hits_kept"] == pytest.approx(0.5 / (7 / 9))
    without = episode([], [])
    without.load.samples["source"] = "model"
    assert without.metrics["hits_kept"] != without.metrics["hits_kept"]


def test_the_experiment_expects_something_of_every_fault() -> None:
    given = yaml.safe_load((ROOT / "experiments" / "chaos.yaml").read_text())["parameters"]
    assert given["faults"] == []
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
    """ServiceProcess, Redis, client and their folders go with the run, whether it may unwind or not."""
    command = [sys.executable, "-m", "crisol", "chaos", "redis_hung", "--lasting", "60", "--after", "60"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL
    ) as run:
        below: dict[int, str] = {}
        deadline = time.monotonic() + 120
        while not any("crisol.loadtest.client" in text for text in below.values()):
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

    monkeypatch.setattr("crisol.servers.enclosure.Enclosure.__enter__", refuse)
    reasons = dict(study.not_run().to_numpy().tolist())
    assert {name for name, reason in reasons.items() if reason == "not here"} == {
        "postgres_disk_full",
        "sandbox_refused",
    }


def test_without_a_compiler_no_clock_jumps_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    reasons = dict(study.not_run().to_numpy().tolist())
    assert {name for name, reason in reasons.items() if "no C compiler (no-such-compiler)" in reason} == {
        "clock_jump",
        "clock_skew",
    }


def test_a_clock_that_nobody_asks_is_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that leaves something else behind is found out."""
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(ClockRefused, match="is not asked"):
        WallClock.made(tmp_path)


@needs_compiler
def test_a_clock_jumps_for_its_process_and_its_children_alone(tmp_path: Path) -> None:
    """Forward and backward while they run; the monotonic clock goes on, and ours stays."""
    clock = WallClock.made(tmp_path)
    tell = "print(time.time(), datetime.datetime.now().timestamp(), time.monotonic(), flush=True)"
    child = f"import datetime, time; {tell}"
    code = (
        "import datetime, subprocess, sys, time\n"
        f"for _ in sys.stdin: {tell}; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | clock.environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        seen = []
        for act in (lambda: None, *[clock.jump] * 6, clock.mend):
            act()
            process.stdin.write("now\n")
            process.stdin.flush()
            for _ in range(2):
                wall, date, monotonic = map(float, process.stdout.readline().split())
                assert abs(wall - date) < 30.0
                assert abs(monotonic - time.monotonic()) < 30.0
            seen.append(wall - time.time())
        process.stdin.close()
    hour, day = 3_600, 86_400
    wanted = [0, -time.time(), hour, -hour, 2 * day, -2 * day, 3_653 * day, 0]
    assert seen == pytest.approx(wanted, abs=30.0)


@needs_compiler
@pytest.mark.integration
def test_a_clock_that_jumps_opens_no_limit_and_loses_no_trial() -> None:
    """Trials carry the dates of the clock that the service had: the fault has reached it."""
    command = [sys.executable, "-m", "crisol", "chaos", "clock_jump", "--calm", "1", "--after", "2"]
    for text in ("failed <= 0", "admitted <= 1.05", "admitted >= 0.9", "trials_skewed >= 1"):
        command += ["--expect", f"clock_jump: {text}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_attacker_may_have_a_burst_and_what_comes_after_it() -> None:
    """The limits of a flood are what the figure ``admitted`` is reckoned by."""
    given = FAULTS["flood"].changes["CRISOL_RATE_LIMITS"]
    assert given.startswith("ml-first=10/1:100,")
    assert allowance(2.0) == 120.0
    assert all(fault.changes["CRISOL_RATE_LIMITS"] == given for fault in FAULTS.values() if fault.flood)
