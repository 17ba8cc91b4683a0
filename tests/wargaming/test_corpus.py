"""Judged shards: what a build reads again, and what it tries anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol.errors import SandboxUnavailable
from crisol.sandbox import choose
from crisol.wargaming.corpus import Plan, judge
from support.notes import make


@pytest.mark.parametrize(("check", "kept"), [("assert True\n", 1), ("assert False\n", 0)])
def test_rows_are_kept_only_where_this_machine_could_judge(tmp_path: Path, check: str, kept: int) -> None:
    """A baseline that failed once, as on a full disk, must not stay a missing label for ever."""
    try:
        choose()
    except SandboxUnavailable as missing:
        pytest.skip(str(missing))
    folder = make(tmp_path / "notes-traversal")
    (folder / "checks" / "2_always.py").write_text(check)
    plan = Plan(tmp_path / "cache", tmp_path / "inbox", mutants=0)
    rows = judge(folder, plan).rows
    assert set(rows["outcome"]) == ({"valid", "invalid"} if kept else {"inconclusive"})
    assert len(list((tmp_path / "cache").glob("judged/*.parquet"))) == kept
