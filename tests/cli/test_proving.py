"""The load test and the chaos test store their results in MLflow, and lose none where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from crisol.cli.proving import _log
from crisol.config import Settings
from crisol.tracking import store
from crisol.wargaming.corpus import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from crisol.tracking.runs import TrackedRun

_DATA = pd.DataFrame(columns=list(COLUMNS)), ""


@pytest.mark.parametrize(
    ("given", "writes"), [({"seed": 1}, True), ({"no\nname": 1}, False)], ids=["results", "parameters"]
)
def test_a_store_that_refuses_data_is_told_and_raises_nothing(
    given: dict[str, int], writes: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The results are still to be printed; the run in MLflow is marked as failed."""
    settings = Settings(root=tmp_path)
    opened: list[TrackedRun] = []

    def write(run: TrackedRun) -> None:
        opened.append(run)
        run.params({"seed": 2})

    _log(settings, "load_test", given, _DATA, write)
    assert bool(opened) == writes
    assert "not logged to MLflow" in capsys.readouterr().err
    client = store.open_client(settings)
    (experiment,) = [e.experiment_id for e in client.search_experiments() if e.name == "load_test"]
    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]


def test_a_store_that_cannot_be_opened_is_told_and_raises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(root=tmp_path)
    settings.runs.parent.mkdir(parents=True, exist_ok=True)
    settings.runs.write_text("no folder")
    written: list[TrackedRun] = []
    _log(settings, "chaos", {}, _DATA, written.append)
    assert written == []
    assert "not logged to MLflow" in capsys.readouterr().err
