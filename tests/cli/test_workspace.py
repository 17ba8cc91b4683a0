"""A workspace is made outside a checkout and cleaned without losing what is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.config import load_settings
from crisol.errors import DatasetError
from crisol.lab.experiment import load_experiment
from crisol.wargaming.corpus import load_table


def invoke(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bench"
    monkeypatch.delenv("CRISOL_ROOT", raising=False)
    invoke("init", str(folder))
    monkeypatch.chdir(folder)
    return folder


def test_a_workspace_has_the_form_of_the_repository(workspace: Path) -> None:
    """Commands find it from any folder below, and every experiment finds its notebook."""
    for part in ("notebooks", "experiments", "data/examples", "data/vulnerabilities/arena", "mlruns"):
        assert (workspace / part).is_dir(), part
    assert not (workspace / "experiments" / "bench").exists()
    assert load_settings().root == workspace
    questions = [path for path in (workspace / "experiments").glob("*.yaml") if path.stem != "variants"]
    assert all(load_experiment(path).notebook.is_relative_to(workspace) for path in questions)
    assert len(questions) > 5


def test_making_it_again_keeps_what_was_changed(workspace: Path) -> None:
    changed, lost = (
        workspace / "experiments" / "variants.yaml",
        workspace / "data" / "examples" / "right.diff",
    )
    changed.write_text("mine")
    lost.unlink()
    assert "1 new files" in invoke("init")
    assert changed.read_text() == "mine"
    assert lost.exists()


def test_cleaning_shows_first_and_keeps_releases_and_runs(workspace: Path) -> None:
    """What a link points to is never removed."""
    cache, elsewhere = workspace / "data" / "cache", workspace.parent / "elsewhere"
    for part in ("judged/a", "releases/b", "triage/c"):
        (cache / part).parent.mkdir(parents=True, exist_ok=True)
        (cache / part).write_text("x" * 1000)
    (cache / "corpus.parquet").write_text("table")
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (cache / "tables").symlink_to(elsewhere)
    (workspace / "mlruns" / "trials.duckdb").write_text("trials")

    shown = json.loads(invoke("clean", "--dry-run", "--json"))
    assert not shown["removed"]
    assert {Path(leftover["path"]).name for leftover in shown["leftovers"]} == {
        "corpus.parquet", "judged", "tables", "triage",
    }  # fmt: skip
    assert (cache / "corpus.parquet").exists()
    assert "releases stay" in invoke("clean")
    assert sorted(path.name for path in cache.iterdir()) == ["releases"]
    invoke("clean", "--releases")
    assert list(cache.iterdir()) == []
    assert (elsewhere / "precious").exists()
    assert (workspace / "mlruns" / "trials.duckdb").exists()


def test_a_vulnerability_elsewhere_is_found_by_its_id(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CRISOL_VULNERABILITIES adds folders outside the workspace, in either depth."""
    mine = workspace.parent / "mine"
    invoke("vulnerability", "new", str(mine / "notes-7"))
    invoke("vulnerability", "new", str(mine / "team" / "notes-8"))
    monkeypatch.setenv("CRISOL_VULNERABILITIES", str(mine))
    for name in ("notes-7", "notes-8"):
        assert name in invoke("vulnerability", "check", name)


def test_a_build_of_some_vulnerabilities_keeps_the_rows_of_the_others(workspace: Path) -> None:
    """The next ``promote`` learns from the default table; another output is written as it is asked for."""
    for name in ("notes-1", "notes-2"):
        invoke("vulnerability", "new", str(workspace / "data" / "vulnerabilities" / "own" / name))
    for name in ("notes-1", "notes-2", "notes-1"):
        invoke("corpus", "build", "--only", name, "--mutants", "0")
    table = workspace / "data" / "cache" / "corpus.parquet"
    assert load_table(table)["vulnerability"].tolist() == ["notes-1", "notes-2"]
    invoke("corpus", "build", "--only", "notes-1", "--mutants", "0", "--output", "one.parquet")
    assert load_table(Path("one.parquet"))["vulnerability"].tolist() == ["notes-1"]
    table.write_text("no table")
    with pytest.raises(DatasetError, match="build it anew"):
        invoke("corpus", "build", "--only", "notes-1", "--mutants", "0")


def test_the_list_names_every_vulnerability(workspace: Path) -> None:
    invoke("vulnerability", "new", str(workspace / "data" / "vulnerabilities" / "own" / "notes-9"))
    rows = json.loads(invoke("vulnerability", "list", "--json"))
    assert {"own", "arena"} <= {row["corpus"] for row in rows}
    text = invoke("vulnerability", "list")
    assert all(row["id"] in text and row["title"] in text for row in rows)
    assert "arena-zip-slip" in text


def test_a_new_vulnerability_passes_its_check_until_it_is_broken(workspace: Path) -> None:
    """The problem is named: a flaw that is not shown, a wrong reference, none at all."""
    folder = workspace / "data" / "vulnerabilities" / "own" / "notes-9"
    invoke("vulnerability", "new", str(folder))
    assert "the reference fix is valid" in invoke("vulnerability", "check", str(folder))
    reference, pov = folder / "patches" / "reference.diff", folder / "pov" / "1_parent.py"
    text = reference.read_text()
    reference.write_text(text.replace("name != os.path.basename(name) or ", ""))
    report = json.loads(invoke("vulnerability", "check", str(folder), "--json", code=1))
    assert report["problems"] == ["reference, the reference fix, is invalid"]
    reference.unlink()
    assert "no reference fix" in invoke("vulnerability", "check", str(folder), code=1)
    pov.write_text("import sys\nsys.exit(1)\n")
    assert "does not show the flaw" in invoke("vulnerability", "check", str(folder), code=1)
