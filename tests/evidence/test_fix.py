"""The distance of a patch to the known fix."""

import numpy as np

from crisol.evidence.fix import COLUMNS, distance, profile

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
    assert distance(empty, empty).vector[COLUMNS.index("fix_same")] == 1.0
