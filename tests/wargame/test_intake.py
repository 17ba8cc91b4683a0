"""Candidates from outside are taken in whole, once, and judged like all the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crisol.errors import DatasetError
from crisol.wargame.intake import imported, kept, take

A = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
B = A.replace("x = 2", "x = 3")


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_folder_and_a_file_are_taken_and_nothing_twice(tmp_path: Path) -> None:
    """A reformatted header does not make another patch of it; imports add up."""
    patches, inbox = tmp_path / "patches", tmp_path / "inbox"
    patches.mkdir()
    (patches / "one.diff").write_text(A)
    first = take(patches, inbox, ["v", "w"], "v")
    assert (first.added, first.known) == ({"v": 1}, 0)
    again = A.replace("b/app.py", "b/app.py\t2026-01-01 00:00:00")
    lines = jsonl(
        tmp_path / "p.jsonl",
        {"vulnerability": "v", "diff": again, "name": "other"},
        {"vulnerability": "v", "diff": B, "name": "two", "origin": "agent"},
        {"vulnerability": "w", "diff": A},
    )
    second = take(lines, inbox, ["v", "w"])
    assert (second.added, second.known) == ({"v": 1, "w": 1}, 1)
    assert [(one.name, one.origin) for one in kept(inbox, "v")] == [("one", "import"), ("two", "agent")]
    assert list(kept(inbox, "x")) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"vulnerability": "v"}, r"line 2: KeyError\('diff'\)"),
        ({"vulnerability": "v", "diff": 1}, "line 2: diff and vulnerability must be text"),
        ({"vulnerability": "v", "diff": B, "origin": "mars"}, "line 2"),
        ({"vulnerability": "v", "diff": B, "name": "../x"}, r"line 2: '../x' is no name"),
        ({"vulnerability": "other", "diff": B}, "there is no vulnerability 'other'"),
        ({"vulnerability": "v", "diff": B, "name": "line-1"}, "another patch named 'line-1'"),
        ([], "line 2"),
        ("[" * 100_000, "line 2"),
        ("{", "line 2"),
    ],
)
def test_one_bad_line_is_named_and_nothing_is_taken(tmp_path: Path, row: object, message: str) -> None:
    """The lines before it are not half-taken."""
    path = jsonl(tmp_path / "p.jsonl", {"vulnerability": "v", "diff": A}, row)
    with pytest.raises(DatasetError, match=message):
        take(path, tmp_path / "inbox", ["v"])
    assert list(kept(tmp_path / "inbox", "v")) == []


def test_a_source_without_patches_is_refused(tmp_path: Path) -> None:
    """A wrong path, an empty folder and a folder for nothing in particular are told apart."""
    with pytest.raises(DatasetError, match="no patch in it"):
        take(tmp_path, tmp_path / "inbox", ["v"], "v")
    with pytest.raises(DatasetError, match="name the vulnerability"):
        list(imported(tmp_path))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(imported(tmp_path / "missing.jsonl"))
