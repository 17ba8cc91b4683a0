"""Labelled patches: from the corpus table, or from a JSONL file of anybody's."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from crisol.errors import DatasetError
from crisol.records import LabelledPatch, Strength

__all__ = ["content_hash", "from_table", "read_jsonl"]


def read_jsonl(path: Path) -> list[LabelledPatch]:
    """Read ``id, project, bug_id, language, tool, label, diff`` a line, 1 for a correct patch; ``.gz`` or plain.

    Raises :class:`~crisol.errors.DatasetError` with the number of the line that is wrong.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: {error}") from None
    patches = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = json.loads(line)
            patches.append(
                LabelledPatch(
                    id=str(row["id"]),
                    group=str(row["bug_id"]),
                    project=str(row["project"]),
                    label={0: 0, 1: 1}[row["label"]],
                    diff=str(row["diff"]),
                    cwe=str(row.get("cwe", "")),
                    language=str(row.get("language", "")),
                    tool=str(row.get("tool", "")),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{path}, line {number}: {error!r}; expected id, project, bug_id, label (0 or 1) and diff"
            ) from None
    return patches


def from_table(frame: pd.DataFrame, strength: Strength | str = Strength.STRICT) -> list[LabelledPatch]:
    """Return the rows of a corpus table that have a truth, at the strength that is asked for."""
    prefix = "" if Strength(strength) is Strength.STRICT else "basic_"
    return [
        LabelledPatch(
            id=row["id"],
            group=row["vulnerability"],
            project=row["project"],
            label=int(row[f"{prefix}outcome"] == "valid"),
            diff=row["diff"],
            cwe=row["cwe"],
            language=row["language"],
            tool=row["origin"],
            reason=row[f"{prefix}reason"],
        )
        for row in frame.to_dict("records")
        if row[f"{prefix}outcome"] != "inconclusive"
    ]


def content_hash(patches: Sequence[LabelledPatch]) -> str:
    """SHA-256 over identities, groups and labels, whatever their order."""
    rows = sorted((patch.id, patch.group, patch.label) for patch in patches)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
