from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from crisol.config import Settings
from crisol.errors import CrisolError
from crisol.lab.experiment import load_experiment
from crisol.lab.papermill import CellFailed
from crisol.lab.papermill import run as execute
from crisol.tracking.store import open_store

NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# Does the *kernel* log to the run that called it?

# %% tags=["parameters"]
seed = 0
run_id = ""
fail = False

# %%
from crisol.config import load_settings
from crisol.tracking import runs

run = runs.join(load_settings(), run_id, "toy")
run.metrics({"seed_seen": seed})
run.finish()

# %%
print("reached", 1 / (0 if fail else 1))
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("CRISOL_ROOT", raising=False)
    for folder in ("notebooks", "experiments", "data/vulnerabilities"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "toy.py").write_text(NOTEBOOK)
    text = "version: 1\nquestion: Does it log?\nnotebook: notebooks/toy.py\nseed: 5\n"
    (tmp_path / "experiments" / "toy.yaml").write_text(text)
    return Settings(root=tmp_path)


@pytest.mark.integration
def test_a_run_keeps_notebook_page_and_parameters_and_the_kernel_logs_to_it(settings: Settings) -> None:
    experiment = load_experiment(settings.root / "experiments" / "toy.yaml")
    finished = execute(experiment, {"seed": "9"}, settings, progress=False)

    assert finished.notebook.is_file()
    run = MlflowClient(open_store(settings)).get_run(finished.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"seed_seen": 9.0}
    assert run.data.params == {"seed": "9", "fail": "False"}
    assert finished.artifacts.is_relative_to(settings.runs)
    assert "seed: 9" in (finished.artifacts / "experiment.yaml").read_text()
    assert "reached 1.0" in json.dumps(json.loads((finished.artifacts / "toy.ipynb").read_text()))
    page = (finished.artifacts / "toy.html").read_text()
    assert "reached 1.0" in page
    assert not re.findall(r"""https?://[^\s"'<>]+\.(?:m?js|css|woff2?)\b""", page)
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']+""", page)


@pytest.mark.integration
def test_a_failing_cell_is_told_in_its_own_words_and_the_rest_is_kept(settings: Settings) -> None:
    experiment = load_experiment(settings.root / "experiments" / "toy.yaml")
    with pytest.raises(CellFailed, match="ZeroDivisionError") as caught:
        execute(experiment, {"fail": "true"}, settings, progress=False)

    assert caught.value.exit_code != 0
    assert "\x1b" not in str(caught.value)
    run = MlflowClient(open_store(settings)).get_run(caught.value.run_id)
    assert run.info.status == "FAILED"
    names = {info.path for info in MlflowClient(open_store(settings)).list_artifacts(run.info.run_id)}
    assert {"toy.ipynb", "toy.html", "experiment.yaml"} <= names


def test_a_table_or_variant_that_is_none_is_refused_before_a_kernel_starts(settings: Settings) -> None:
    """No run is opened for what cannot begin."""
    notebook = settings.root / "notebooks" / "toy.py"
    more = 'fail = False\ncorpus: str = ""\nvariants: list[str] = []\nshare: float = 0.5  # (0, 1) of them\n'
    notebook.write_text(NOTEBOOK.replace("fail = False\n", more))
    shutil.copy(Path(__file__).parents[2] / "experiments" / "variants.yaml", settings.root / "experiments")
    experiment = load_experiment(settings.root / "experiments" / "toy.yaml")
    for changes, said in (
        ({"corpus": "nowhere.parquet"}, "no table nowhere.parquet"),
        ({"variants": "lightgbm, oracle"}, "unknown variant 'oracle'"),
        ({"share": "1"}, r"share=1: must be within \(0, 1\), not 1\.0"),
        ({"shere": "1"}, "unknown parameter 'shere'"),
    ):
        with pytest.raises(CrisolError, match=said):
            execute(experiment, changes, settings, progress=False)
    assert not settings.runs.exists()
