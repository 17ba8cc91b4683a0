from __future__ import annotations

import ast
import json
from pathlib import Path

import jupytext
import pytest

from crisol.chaos.faults import chosen
from crisol.chaos.run import Schedule
from crisol.lab.experiment import load_experiment
from crisol.lab.pairing import pair, paired
from crisol.lab.parameters import read_parameters
from crisol.loadtest.study import FLOOR
from crisol.loadtest.targets import parse_all

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
REPORTS = [path for path in NOTEBOOKS if path.stem != "00_start"]
# variants.yaml lists models; every other file asks a question.
EXPERIMENTS = [path for path in sorted((ROOT / "experiments").glob("*.yaml")) if path.stem != "variants"]

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks_and_none_without_its_source() -> None:
    assert len(NOTEBOOKS) >= 3
    assert [p.stem for p in sorted((ROOT / "notebooks").glob("*.ipynb"))] == [p.stem for p in NOTEBOOKS]


@each_notebook
def test_the_ipynb_is_the_one_that_the_source_gives(notebook: Path) -> None:
    """Edit the .py, then run ``python -m crisol.lab.pairing notebooks``."""
    assert notebook.with_suffix(".ipynb").read_text(encoding="utf-8") == paired(notebook)


@each_notebook
def test_the_ipynb_holds_no_outputs(notebook: Path) -> None:
    cells = json.loads(notebook.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@each_notebook
def test_a_notebook_asks_first(notebook: Path) -> None:
    first = jupytext.read(notebook, fmt="py:percent").cells[0]
    assert first.cell_type == "markdown"
    assert "?" in first.source.splitlines()[0]


@pytest.mark.parametrize("notebook", REPORTS, ids=lambda path: path.stem)
def test_a_notebook_that_reports_computes_nothing_itself(notebook: Path) -> None:
    """No function is longer than five lines; no SQL and no statistics. The bench, 00_start, is for code."""
    for cell in jupytext.read(notebook, fmt="py:percent").cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 5
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert str(name).startswith("crisol"), f"{name} belongs in the package"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "select " not in node.value.lower()


@each_notebook
def test_every_notebook_takes_seed_run_and_the_corpus_that_it_reads(notebook: Path) -> None:
    parameters = read_parameters(notebook)
    assert {"seed", "run_id"} <= set(parameters)
    reads = "open_corpus" in notebook.read_text(encoding="utf-8")
    assert reads == ("corpus" in parameters)
    assert not reads or parameters["corpus"].default == ""


@each_notebook
def test_a_notebook_logs_every_parameter_by_itself(notebook: Path) -> None:
    """Run in Jupyter, its MLflow run says as much as one by papermill."""
    source = notebook.read_text(encoding="utf-8")
    logged = {
        key.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.params"
        for key in getattr(node.args[0], "keys", [])
    }
    assert "runs.join" not in source or logged == set(read_parameters(notebook)) - {"run_id"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_file_fits_its_notebook(path: Path) -> None:
    assert load_experiment(path).question.endswith("?")


def test_load_and_chaos_in_their_smoke_size_are_planned_for_one_minute() -> None:
    """The other of the two minutes is for the start of the services and the execution of the patches.

    A closed loop is reckoned by the slowest throughput that any load may have.
    """
    served, broken = (
        {
            name: parameter.default
            for name, parameter in read_parameters(ROOT / "notebooks" / f"{stem}.py").items()
        }
        for stem in ("04_load_test", "05_chaos")
    )
    (slowest,) = [target.bound for target in parse_all(FLOOR) if target.measure == "throughput"]
    planned = served["requests"] / slowest if served["profile"] == "closed" else served["seconds"]
    # After the rates both clients ask once more for the cross-check.
    planned += (len(served["rates"]) + 2) * max(1.0, served["rate_seconds"])
    schedule = Schedule(calm=broken["calm"], fault=broken["lasting"], after=broken["after"])
    assert broken["faults"], "an empty list means all"
    planned += sum(schedule.of(fault).seconds for fault in chosen(broken["faults"]))
    assert planned < 60.0


def test_the_schema_knows_the_keys_that_the_loader_knows() -> None:
    schema = json.loads((ROOT / "experiments" / "schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == {"version", "question", "notebook", "seed", "parameters"}
    assert set(schema["required"]) == set(schema["properties"]) - {"parameters"}


def test_pairing_writes_only_what_changed(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text(NOTEBOOKS[0].read_text(encoding="utf-8"))
    assert pair(tmp_path) == [tmp_path / "a.ipynb"]
    assert pair(tmp_path) == []
