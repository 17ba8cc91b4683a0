"""``crisol ui`` refuses a port that is taken, opens the page of the runs, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.config import Settings
from crisol.errors import UnavailableError
from crisol.servers.reaper import family
from crisol.tracking import runs, ui


def test_a_port_that_is_taken_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port}: .*--port takes another") as caught:
            CliRunner().invoke(app, ["ui", "--port", str(port)], catch_exceptions=False)
    assert caught.value.exit_code == 69
    assert not (tmp_path / "mlruns").exists()


def test_the_page_is_that_of_the_runs_and_nothing_else_is_started(tmp_path: Path) -> None:
    """What follows the sign # is the page's; MLflow's workers for jobs would be half a dozen processes."""
    settings = Settings(root=tmp_path)
    assert ui.ui_page(settings).startswith("#/experiments/")
    with runs.start(settings, "toy") as run:
        pass
    experiment = run.client.get_run(run.id).info.experiment_id
    assert ui.ui_page(settings) == f"#/experiments/{experiment}/runs?workflowType=machine_learning"
    _, environment = ui.ui_command(settings, 5000)
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["CRISOL_ROOT"] == str(tmp_path)


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_servers_end_with_a_command_that_is_ended(number: int, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "crisol", "ui", "--port", str(port)],
        env={**os.environ, "CRISOL_ROOT": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert command.stdout is not None
    with command:
        assert command.stdout.readline().startswith(f"http://127.0.0.1:{port}/#/experiments")
        started: list[int] = []
        while len(started) < 3:  # the command, its reaper, MLflow
            assert command.poll() is None
            started = family(command.pid)
            time.sleep(0.05)
        command.send_signal(number)
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
