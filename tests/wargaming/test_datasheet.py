"""What is handed on says what is in it, and can be read back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from crisol.errors import StoreError
from crisol.model.dataset import read_jsonl
from crisol.wargaming.census import census
from crisol.wargaming.corpus import COLUMNS, content_hash, load_table
from crisol.wargaming.datasheet import export

A = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def row(name: str, outcome: str, reason: str = "") -> dict[str, object]:
    given = dict.fromkeys(COLUMNS, "")
    return given | {
        "id": name, "name": name, "vulnerability": "v", "project": "p", "cwe": "CWE-22", "language": "python",
        "corpus": "pypi",
        "origin": "hand", "diff": A, "outcome": outcome, "basic_outcome": "valid", "reason": reason,
        "seconds": 0.1,
    }  # fmt: skip


def test_an_export_is_read_back_and_counted(tmp_path: Path) -> None:
    """Inconclusive candidates have no label, stay in the table and are counted in the sheet."""
    rows = [
        row("a", "valid"),
        row("b", "invalid", "undefined_name"),
        row("c", "inconclusive", "sandbox_failed"),
    ]
    frame = pd.DataFrame(rows)
    table, lines, about = export(frame, [], tmp_path / "out")
    assert content_hash(load_table(table)) == content_hash(frame)
    assert [(patch.group, patch.label) for patch in read_jsonl(lines)] == [("v", 1), ("v", 0)]
    text = about.read_text()
    assert content_hash(frame) in text
    assert "1 valid, 1 invalid, 1 inconclusive. 1 pass every PoV" in text
    assert "| undefined_name | 1 |" in text
    assert "| pass basic, fail strict | 1: 1 undefined_name |" in text


def test_a_folder_that_takes_no_files_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        export(pd.DataFrame([row("a", "valid")]), [], tmp_path)


def test_the_census_names_what_is_lacking() -> None:
    """Both classes are needed of every vulnerability; what is inconclusive is neither."""
    rows = [row("a", "valid"), row("b", "inconclusive", "sandbox_failed")]
    counts = dict(census(pd.DataFrame(rows), []))
    assert counts["vulnerabilities that lack a class"] == "1: v"
    assert counts["origin hand"] == "2 (100.0%), of them 1 valid"
    assert counts["candidates"] == "2; 2.0 a vulnerability, at least 2"
