"""The distance of a patch to the known fix."""

import dataclasses
from pathlib import Path

import numpy as np

from crisol.diff import between
from crisol.model.matrix import PatchMatrix
from crisol.model.source.fix import COLUMNS, distance, profile
from crisol.model.source.registered import with_sources
from crisol.records import LabelledPatch

ROOT = Path(__file__).parents[2]

_SOURCE = {"app.py": 'def read(name):\n    "Read."\n    return open(name)\n\nclass A:\n    limit = 3\n'}
_FIX = _SOURCE["app.py"].replace(
    "    return", '    if ".." in name:\n        raise ValueError(name)\n    return'
)


def _said(after: str, other: str) -> tuple[list[str], list[str]]:
    found = distance(profile({"app.py": after}, _SOURCE), profile({"app.py": other}, _SOURCE))
    assert found.vector.shape == (len(COLUMNS),)
    assert np.isfinite(found.vector).all()
    return [str(part) for part in found.lacks], [str(part) for part in found.adds]


def test_what_the_candidate_lacks_is_said_with_its_function() -> None:
    """A patch that does something else lacks the guard of the fix."""
    lacks, adds = _said(_SOURCE["app.py"].replace("limit = 3", "limit = 2"), _FIX)
    assert lacks[0] == "the guard '..' in name in read"
    assert adds == [
        "the statement limit = 2 in A",
        "the removal of the statement limit = 3 from A",
        "the constant 2 in A",
        "the removal of the constant 3 from A",
    ]


def test_layout_comments_and_docstrings_make_no_difference() -> None:
    """The same change in other words of the tokenizer is the same change."""
    other = (
        _FIX.replace('"Read."', '"Read a file."').replace("if", "# so\n    if (").replace("name:", "name):")
    )
    assert _said(other, _FIX) == ([], [])


def test_shapes_do_not_see_names() -> None:
    """A renamed variable changes the text of a statement and not its shape."""
    one = distance(
        profile({"app.py": _SOURCE["app.py"] + "def f(a):\n    b = a\n"}, _SOURCE),
        profile({"app.py": _SOURCE["app.py"] + "def f(c):\n    d = c\n"}, _SOURCE),
    )
    columns = dict(zip(COLUMNS, one.vector, strict=True))
    assert columns["fix_statements_likeness"] == 0.0
    assert columns["fix_shapes_likeness"] == 1.0


def test_what_is_no_python_adds_nothing() -> None:
    """A file that does not parse, and one that is no Python, are passed over."""
    empty = profile({"app.py": "def (", "notes.md": "x"}, {"notes.md": "y"})
    assert not empty.parts
    assert distance(empty, empty).vector[list(COLUMNS).index("fix_same")] == 1.0


def test_a_matrix_reads_the_distance_only_where_it_is_told_to() -> None:
    """Without ``fix`` a variant of the source does not know the known fix; with it, the fix is the same."""
    path, before = "app.py", _SOURCE["app.py"]
    patch = LabelledPatch(
        "1", "g", "p", 1, between(_SOURCE, {path: _FIX}), source=_SOURCE, fix=((path, before, _FIX),)
    )
    unknown = dataclasses.replace(patch, fix=())
    matrix = PatchMatrix(source=True, fix=True)
    at = [feature.name for feature in matrix.features].index("fix_same")
    assert matrix.transform([patch, unknown])[:, at].tolist() == [1.0, 0.0]
    rows = PatchMatrix(source=True).transform([patch, unknown])
    assert rows.shape[1] == matrix.columns - len(COLUMNS)
    assert np.array_equal(rows[0], rows[1])


def test_a_registered_vulnerability_brings_its_known_fix() -> None:
    """The files that the fix touches, before and after it; a vulnerability that nobody knows has none."""
    folder = ROOT / "data" / "vulnerabilities" / "arena" / "arena-sort-arguments"
    diff = (folder / "patches" / "reference.diff").read_text(encoding="utf-8")
    made = LabelledPatch("1", "arena-sort-arguments", "arena", 1, diff)
    known, unknown = with_sources(
        [made, dataclasses.replace(made, group="nobody-knows")], folder.parents[1], ROOT / "data" / "cache"
    )
    assert {path: before for path, before, _ in known.fix} == known.source
    assert all(before != after for _, before, after in known.fix)
    assert unknown.fix == ()
