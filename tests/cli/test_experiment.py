"""A new experiment runs as it was made, and a run says for CI what happened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.errors import CannotCreate, ExperimentError
from crisol.lab.experiment import load_experiment
from crisol.lab.pairing import paired
from crisol.lab.papermill import CellFailed
from support.served import ROOT

_NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does it divide?

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""
divisor: int = 1

# %%
from crisol.config import load_settings
from crisol.tracking import runs

run = runs.join(load_settings(), run_id, "toy")
run.metrics({"quotient": 10 / 1})
run.finish()

# %% [markdown]
# ## The quotient | of two

# %%
print("\\x01 <told>", 10 / divisor)

# %%
print("the end")
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part in ("notebooks", "experiments", "data/vulnerabilities"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "notebooks" / "toy.py").write_text(_NOTEBOOK)
    (tmp_path / "experiments" / "toy.yaml").write_text(
        "version: 1\nquestion: Does it divide?\nnotebook: notebooks/toy.py\nseed: 3\n"
    )
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.integration
def test_a_run_writes_what_happened_for_ci(bench: Path) -> None:
    """JUnit to a name that ends in .xml, else Markdown; a failed run is told as well."""
    wish = ["run", "experiments/toy.yaml", "--summary"]
    (bench / "some").mkdir()
    (bench / "some" / "table.parquet").touch()
    done = CliRunner().invoke(app, [*wish, "summary.md", "-P", "corpus=some/table.parquet"])
    assert done.exit_code == 0, done.output
    text = (bench / "summary.md").read_text()
    assert text.startswith("## toy: passed\n\nDoes it divide?\n")
    assert "| quotient | 10 |" in text
    # A path on the command line starts in the current folder.
    assert f"| corpus | {bench / 'some' / 'table.parquet'} |" in text

    done = CliRunner().invoke(app, [*wish, "summary.xml", "-P", "divisor=0"])
    assert isinstance(done.exception, CellFailed)
    suite = ET.parse(bench / "summary.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "ZeroDivisionError: division by zero"
    assert "\x1b" not in str(failure.text)
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names[2] == '03 The quotient | of two: print("\\x01 <told>", 10 / divisor)'


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_a_relative_root_is_the_same_folder_in_the_kernel(bench: Path) -> None:
    """The kernel of a notebook starts in another folder than the command."""
    command = [sys.executable, "-m", "crisol", "run", f"{bench.name}/experiments/toy.yaml"]
    done = subprocess.run(
        command, cwd=bench.parent, env=os.environ | {"CRISOL_ROOT": bench.name},
        capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (bench / "mlruns" / "mlflow.db").exists()
    assert not (bench / bench.name).exists()


def test_a_summary_that_cannot_be_written_is_found_before_the_work(bench: Path) -> None:
    done = CliRunner().invoke(app, ["run", "experiments/toy.yaml", "--summary", "gone/summary.xml"])
    assert isinstance(done.exception, CannotCreate)
    assert not (bench / "mlruns").exists()


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_a_new_experiment_passes_its_own_test(bench: Path) -> None:
    """Notebook, pair, experiment file and test are those that the repository asks for."""
    shutil.copytree(ROOT / "data" / "vulnerabilities" / "arena", bench / "data" / "vulnerabilities" / "arena")
    shutil.copy(ROOT / "experiments" / "variants.yaml", bench / "experiments")
    done = CliRunner().invoke(app, ["new", "experiment", "longer_diffs"])
    assert done.exit_code == 0, done.output
    notebook = bench / "notebooks" / "01_longer_diffs.py"
    assert notebook.with_suffix(".ipynb").read_text() == paired(notebook)
    assert load_experiment(bench / "experiments" / "longer_diffs.yaml").question.endswith("?")
    test = "tests/experiments/test_longer_diffs.py"
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=bench, env=os.environ, capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    for name in ("longer_diffs", "../x"):
        refused = CliRunner().invoke(app, ["new", "experiment", name]).exception
        assert isinstance(refused, ExperimentError)
