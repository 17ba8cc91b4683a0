"""``crisol models`` and ``crisol runs``, called as a user calls them."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.cli.endings import Exit
from crisol.config import Settings
from crisol.errors import ModelError, StoreError
from crisol.tracking import models, runs, store
from support.served import model_folder


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return Settings(root=tmp_path)


def invoke(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_versions_and_runs_are_listed_and_the_title_moves(settings: Settings) -> None:
    assert "no model is registered" in invoke("models", "list")
    assert "no runs yet" in invoke("runs", "list")
    assert json.loads(invoke("runs", "list", "--json")) == []
    with pytest.raises(ModelError, match="no version is champion; there are none"):
        invoke("models", "show")
    for number, count in (("1", "40"), ("2", "128")):
        with runs.start(settings, "promote") as run:
            run.params({"seed": number})
            models.register(run, model_folder(), {"variant": f"v{number}", "vulnerabilities": count})
    listed = json.loads(invoke("models", "list", "--json"))
    assert [(row["version"], row["aliases"], row["vulnerabilities"]) for row in listed] == [
        ("2", ["champion"], "128"),
        ("1", [], "40"),
    ]
    assert "v2" in invoke("models", "show")
    assert "stands on 128 vulnerabilities" in invoke("models", "promote", "1", code=1)
    assert "version 1 (v1) is champion again" in invoke("models", "rollback")
    assert json.loads(invoke("models", "show", "1", "--json"))["aliases"] == ["champion"]
    assert "version 2 (v2) is champion" in invoke("models", "promote", "2", "--force")
    assert len(json.loads(invoke("runs", "list", "--json"))) == 2
    assert "| seed | 1 | 2 |" in invoke("runs", "diff", "promote~1", "promote")
    with pytest.raises(StoreError, match="names are promote"):
        invoke("runs", "diff", "nobody", "promote")


def test_a_store_that_fails_ends_with_its_code(settings: Settings) -> None:
    store.open_client(settings)
    with contextlib.closing(sqlite3.connect(settings.runs / "mlflow.db")) as connection:
        connection.execute("DROP TABLE registered_models")
    done = subprocess.run(
        [sys.executable, "-m", "crisol", "models", "list"],
        env=os.environ | {"CRISOL_ROOT": str(settings.root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == Exit.UNAVAILABLE, done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("crisol: StoreError: model 'patch-validity' cannot be read: ")
