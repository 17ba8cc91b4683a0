"""Labelled patches from a JSONL file or from a corpus table."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from crisol.errors import DatasetError
from crisol.records import LabelledPatch, Outcome, Strength

__all__ = ["digest", "from_table", "open_set", "open_table", "read_jsonl", "regrouped", "without_overlap"]

_MAX_LINE = 8 << 20
_MAX_ROWS = 1_000_000
_OPTIONAL = {"project": "", "language": "python", "tool": "", "cwe": ""}
_COLUMNS = ("id", "vulnerability", "project", "cwe", "language", "origin", "diff", "outcome", "basic_outcome")


_ALIASES = {
    "vulnerability": "group",
    "bug_id": "group",
    "package": "project",
    "project": "project",
    "cwe": "cwe",
}


def open_set(path: Path | str, group: str = "bug_id", strength: str = "strict") -> list[LabelledPatch]:
    """Read labelled patches from a JSONL file, or from a corpus table if the name ends in ``.parquet``.

    ``group`` names the field whose value becomes the group of a patch. In a JSONL file it may be any key
    whose values are texts; in a table it is ``vulnerability`` (also called ``bug_id``), ``package`` (also
    ``project``) or ``cwe``. ``strength`` chooses the label of a table: ``strict``, or ``basic`` (PoVs and
    checks alone). A JSONL file has only one label, and ``strength`` is ignored. Raises
    :class:`~crisol.errors.DatasetError` for a file that cannot be read, and for an unknown group or strength.
    """
    path = Path(path)
    if path.suffix != ".parquet":
        return read_jsonl(path, group)
    return regrouped(from_table(open_table(path), strength), group)


def open_table(path: Path) -> pd.DataFrame:
    """Read a corpus table from a Parquet file; its columns are not checked.

    Raises :class:`~crisol.errors.DatasetError` if the file cannot be read.
    """
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as a table: {error}") from None


def regrouped(patches: Sequence[LabelledPatch], group: str) -> list[LabelledPatch]:
    """Return copies of the patches with other groups.

    If ``group`` is ``project`` or ``package``, the group of each copy is the patch's project. If it is
    ``cwe``, the group is the patch's CWE. If it is ``vulnerability`` or ``bug_id``, the group stays as it is.
    Raises :class:`~crisol.errors.DatasetError` for another ``group``.
    """
    if group not in _ALIASES:
        raise DatasetError(f"a corpus table has no group {group!r}; known are {', '.join(_ALIASES)}")
    return [dataclasses.replace(patch, group=getattr(patch, _ALIASES[group])) for patch in patches]


def without_overlap(train: Sequence[LabelledPatch], test: Sequence[LabelledPatch]) -> list[LabelledPatch]:
    """Return the patches of ``train`` that share neither group nor diff text with any patch of ``test``."""
    groups, diffs = {patch.group for patch in test}, {patch.diff for patch in test}
    return [patch for patch in train if patch.group not in groups and patch.diff not in diffs]


def read_jsonl(path: Path | str, group: str = "bug_id") -> list[LabelledPatch]:
    """Read labelled patches from a JSONL file: one JSON object a line, one patch an object.

    Required keys: ``id``, ``diff``, ``label`` (1 for a valid patch, 0 for an invalid one), and the key that
    ``group`` names: its value becomes the group of the patch. Optional keys: ``project`` (default: the
    group), ``language`` (default: ``python``), ``tool`` and ``cwe`` (default: empty). ``tool`` is the origin
    of the patch, such as ``agent`` or ``hand``, or the tool that made it; ``cwe`` is text such as ``CWE-22``.
    Other keys and blank lines are ignored. A file whose name ends in ``.gz`` is decompressed.

    Raises :class:`~crisol.errors.DatasetError`, with file and line, for a file without a patch or one that
    cannot be read, for a missing or wrong value, for an id that occurs twice, for a line of more than 8 MiB,
    and for more than 1,000,000 patches.
    """
    path = Path(path)
    patches: list[LabelledPatch] = []
    ids: set[str] = set()
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in _lines(stream, path):
                patch = _patch(line, group, f"{path}:{number}")
                if patch.id in ids:
                    raise DatasetError(f"{path}:{number}: the id {patch.id!r} occurs twice")
                if len(ids) == _MAX_ROWS:
                    raise DatasetError(f"{path}:{number}: more than {_MAX_ROWS} patches; split the file")
                ids.add(patch.id)
                patches.append(patch)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None
    if not patches:
        raise DatasetError(f"{path}: no patch in it; one JSON object a line is expected")
    return patches


def _lines(stream: BinaryIO | gzip.GzipFile, path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise DatasetError(f"{path}:{number}: the line has more than {_MAX_LINE} bytes")
        if line.strip():
            yield number, line


def _patch(line: bytes, group: str, where: str) -> LabelledPatch:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise DatasetError(f"{where}: an object is expected, not {type(row).__name__}")
    for key in ("id", "diff", group):
        if not isinstance(row.get(key), str):
            raise DatasetError(f"{where}: {key!r} must be there and be text")
    row = _OPTIONAL | row
    for key in _OPTIONAL:
        if not isinstance(row[key], str):
            raise DatasetError(f"{where}: {key!r} must be text")
    label = row.get("label")
    if label not in (0, 1):
        raise DatasetError(f"{where}: 'label' must be 1 for a correct patch or 0, not {label!r:.40}")
    for key in ("id", group):
        if not row[key]:
            raise DatasetError(f"{where}: {key!r} is empty")
    return LabelledPatch(
        id=row["id"],
        group=row[group],
        project=row["project"] or row[group],
        label=int(label),
        diff=row["diff"],
        cwe=row["cwe"],
        language=row["language"],
        tool=row["tool"],
    )


def from_table(frame: pd.DataFrame, strength: str = "strict") -> list[LabelledPatch]:
    """Return a labelled patch for each row of a corpus table; rows with an inconclusive outcome are left out.

    ``strength`` chooses the column of the label: ``outcome`` for ``strict``, ``basic_outcome`` for ``basic``.
    The label is 1 for ``valid``, 0 for ``invalid``. Required columns: ``id``, ``vulnerability`` (the group),
    ``project``, ``cwe``, ``language``, ``origin``, ``diff``, ``outcome``, ``basic_outcome``. Raises
    :class:`~crisol.errors.DatasetError` for a missing column, an unknown strength or an unknown outcome.
    """
    if missing := [name for name in _COLUMNS if name not in frame.columns]:
        raise DatasetError(f"the corpus table has no column {', '.join(missing)}")
    try:
        prefix = "" if Strength(strength) is Strength.STRICT else "basic_"
    except ValueError:
        raise DatasetError(f"unknown label strength {strength!r}; known are strict and basic") from None
    patches: list[LabelledPatch] = []
    texts = {"cwe": "", f"{prefix}reason": ""}
    for row in frame.astype(object).fillna(texts).to_dict("records"):  # a column without texts holds numbers
        try:
            outcome = Outcome(row[f"{prefix}outcome"])
        except ValueError:
            raise DatasetError(f"patch {row['id']}: unknown outcome {row[f'{prefix}outcome']!r}") from None
        if outcome is Outcome.INCONCLUSIVE:
            continue
        patches.append(
            LabelledPatch(
                id=str(row["id"]),
                group=str(row["vulnerability"]),
                project=str(row["project"]),
                label=int(outcome is Outcome.VALID),
                diff=str(row["diff"]),
                cwe=str(row["cwe"] or ""),
                language=str(row["language"]),
                tool=str(row["origin"]),
                reason=str(row.get(f"{prefix}reason") or ""),
            )
        )
    return patches


def digest(patches: Sequence[LabelledPatch]) -> str:
    """Return a SHA-256 of labelled patches, as 64 hexadecimal digits; their order does not matter.

    It covers the id, group, project, label, CWE and diff of each patch.
    """
    rows = sorted(
        json.dumps([patch.id, patch.group, patch.project, patch.label, patch.cwe, patch.diff])
        for patch in patches
    )
    sha = hashlib.sha256(b"crisol-dataset-1")
    for row in rows:
        sha.update(row.encode() + b"\n")
    return sha.hexdigest()
