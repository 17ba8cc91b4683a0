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
