from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from crisol.errors import DatasetError
from crisol.model.dataset import digest, from_table, open_set, read_jsonl, regrouped
from support.model_data import patches

_ROW = {
    "id": "1",
    "project": "p",
    "bug_id": "b",
    "language": "java",
    "tool": "t",
    "label": 1,
    "diff": "@@\n+a\n",
}


def _write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_line_becomes_a_labelled_patch(tmp_path: Path) -> None:
    [patch] = read_jsonl(_write(tmp_path / "a.jsonl", json.dumps(_ROW | {"extra": [1]}), ""))
    assert (patch.id, patch.group, patch.label, patch.language, patch.cwe) == ("1", "b", 1, "java", "")


def test_gzip_is_read_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(_ROW).encode()))
    assert len(read_jsonl(path)) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "an object is expected"),
        (json.dumps({k: v for k, v in _ROW.items() if k != "diff"}), "'diff' must be there"),
        (json.dumps(_ROW | {"id": 7}), "'id' must be there and be text"),
        (json.dumps(_ROW | {"label": 2}), "'label' must be 1"),
        (json.dumps(_ROW | {"label": "1"}), "'label' must be 1"),
        (json.dumps(_ROW | {"label": None}), "'label' must be 1"),
        (json.dumps(_ROW | {"cwe": 79}), "'cwe' must be text"),
        (json.dumps(_ROW | {"id": "2", "bug_id": ""}), "'bug_id' is empty"),
        (json.dumps(_ROW), "occurs twice"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = _write(tmp_path / "a.jsonl", json.dumps(_ROW), line)
    with pytest.raises(DatasetError, match=rf"a\.jsonl:2: .*{message}"):
        read_jsonl(path)


def test_files_that_hold_no_patches_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "b.gz"
    broken.write_bytes(gzip.compress(json.dumps(_ROW).encode())[:-12])
    for path in (tmp_path / "missing.jsonl", _write(tmp_path / "empty.jsonl"), broken, tmp_path):
        with pytest.raises(DatasetError):
            read_jsonl(path)


def _table(**changes: object) -> pd.DataFrame:
    row: dict[str, object] = {
        "id": "i", "vulnerability": "v", "project": "p", "cwe": "CWE-22", "language": "python",
        "origin": "hand",
        "name": "n", "diff": "d", "outcome": "invalid", "reason": "undefined_name", "basic_outcome": "valid",
        "basic_reason": "", "seconds": 0.1, "sandbox": "namespaces",
    }  # fmt: skip
    return pd.DataFrame([row | changes])


def test_a_corpus_row_is_labelled_at_the_strength_asked_for() -> None:
    [strict], [basic] = from_table(_table()), from_table(_table(), "basic")
    assert (strict.label, strict.reason, strict.tool) == (0, "undefined_name", "hand")
    assert (basic.label, basic.reason) == (1, "")


def test_inconclusive_rows_have_no_label() -> None:
    assert from_table(_table(outcome="inconclusive")) == []


def test_a_missing_text_of_a_row_is_empty() -> None:
    """A missing weakness or reason is no weakness or reason called nan."""
    [patch] = from_table(_table(cwe=None, outcome="valid", reason=float("nan")))
    assert (patch.cwe, patch.reason) == ("", "")


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(DatasetError, match="no column diff"):
        from_table(_table().drop(columns="diff"))
    with pytest.raises(DatasetError, match="unknown outcome"):
        from_table(_table(outcome="perhaps"))
    with pytest.raises(DatasetError, match="unknown label strength"):
        from_table(_table(), "weak")


def test_the_digest_sees_content_and_not_order() -> None:
    some = patches(3, 2)
    assert digest(some) == digest(some[::-1])
    assert digest(some) != digest(some[1:])


def test_any_key_can_be_the_group(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", json.dumps(_ROW | {"issue": "i-7"}), json.dumps(_ROW | {"id": "2"}))
    with pytest.raises(DatasetError, match=r"a\.jsonl:2: 'issue' must be there"):
        open_set(path, "issue")
    assert [patch.group for patch in open_set(path)] == ["b", "b"]


def test_a_table_is_grouped_by_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "corpus.parquet"
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        open_set(path)
    with pytest.raises(DatasetError, match="no group 'colour'"):
        regrouped(patches(3, 2), "colour")
    assert [patch.group for patch in regrouped(patches(2, 1), "package")] == ["project-0", "project-1"]
