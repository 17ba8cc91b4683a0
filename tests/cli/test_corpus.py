"""``crisol corpus`` shows a table to people and to programs alike."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from crisol.cli import app
from crisol.wargaming.corpus import COLUMNS, save_table
from support.tables import corpus


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = corpus(100).to_dict("records")
    path = tmp_path / "corpus.parquet"
    save_table(pd.DataFrame([dict.fromkeys(COLUMNS, "") | row for row in rows])[list(COLUMNS)], path)
    return str(path)


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["corpus", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_is_the_same_for_people_and_programs(table: str) -> None:
    document = json.loads(invoke("list", "--table", table, "--json"))
    assert len(document["vulnerabilities"]) == 20
    assert sum(row["candidates"] for row in document["vulnerabilities"]) == 100
    assert document["leaks"]
    text = invoke("list", "--table", table)
    assert all(row["vulnerability"] in text for row in document["vulnerabilities"])
    assert "basic only" in text
    # A program of the arena is a project of its own: only JSON names it twice.
    assert next(line.split() for line in text.splitlines() if line.startswith("v3 "))[:3] == [
        "v3",
        "CWE-79",
        "5",
    ]
    assert {row["project"] for row in document["vulnerabilities"]} == {f"v{number}" for number in range(20)}


LONG = "arena-directory-of-names-ldap"


@pytest.fixture
def long_table(tmp_path: Path) -> str:
    rows = corpus(40).to_dict("records")
    for row in rows:
        row["vulnerability"] = f"{LONG}-{row['vulnerability']}"
        row["project"] = "a-package-with-a-long-name"
    path = tmp_path / "long.parquet"
    save_table(pd.DataFrame([dict.fromkeys(COLUMNS, "") | row for row in rows])[list(COLUMNS)], path)
    return str(path)


@pytest.mark.parametrize("columns", ["80", ""])
def test_the_list_cuts_no_id(long_table: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow terminal shortens the other columns; a pipe, which has no width, none."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    text = invoke("list", "--table", long_table)
    shown = [line.split()[0] for line in text.splitlines() if line.startswith("arena-")]
    assert sorted(shown[:20]) == sorted(f"{LONG}-v{number}" for number in range(20))
    assert ("a-package-with-a-long-name" in text) == (not columns)
    assert all(len(line) <= int(columns) for line in text.splitlines()[:21] if columns)


@pytest.mark.parametrize("columns", ["80", ""])
def test_no_reason_is_cut(long_table: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long name of a candidate goes on in the next line instead."""
    monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    frame = pd.read_parquet(long_table).assign(
        name="compare_normalised_targets~widen_except-1b44079912345678"
    )
    frame.to_parquet(long_table)
    text = invoke("show", f"{LONG}-v3", "--table", long_table)
    assert "exploit_survives" in text
    assert "…" not in text


def test_every_candidate_is_shown_with_its_verdict(table: str) -> None:
    rows = json.loads(invoke("show", "v3", "--table", table, "--json"))
    assert len(rows) == 5
    assert {row["outcome"] for row in rows} <= {"valid", "invalid"}
    assert all(row["name"] in invoke("show", "v3", "--table", table) for row in rows)


def test_an_import_says_what_it_would_do_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by ``--dry-run``."""
    root = Path(__file__).parents[2]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vulnerabilities").symlink_to(root / "data" / "vulnerabilities")
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for path in (root / "data" / "examples" / "candidates").glob("*.diff"):
        (inbox / f"new_{path.name}").write_bytes(path.read_bytes())
    wish = ["import", str(inbox), "--vulnerability", "arena-zip-slip", "--dry-run", "--json"]
    told = json.loads(invoke(*wish))
    assert told["written"] is False
    assert sum(told["added"].values()) + len(told["same"]) >= 5
    assert not list((tmp_path / "data").glob("candidates/*.jsonl"))
