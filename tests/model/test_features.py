from __future__ import annotations

import math
import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol.diff import parse
from crisol.model.classic import CLASSIC
from crisol.model.features import FEATURES, index, measure, vector
from crisol.model.matrix import PatchMatrix
from crisol.model.reading import lenient, number, open_diff, read
from crisol.model.text import ngrams
from crisol.records import LabelledPatch


def _diff(removed: str, added: str) -> str:
    old, new = removed.splitlines(), added.splitlines()
    body = "".join(f"-{line}\n" for line in old) + "".join(f"+{line}\n" for line in new)
    return f"--- a/x.py\n+++ b/x.py\n@@ -1,{len(old) + 1} +1,{len(new) + 1} @@\n context(line)\n{body}"


def _of(removed: str, added: str, cwe: str = "") -> dict[str, float]:
    values = vector(parse(_diff(removed, added)), cwe)
    return {feature.name: value for feature, value in zip(FEATURES, values, strict=True)}


def test_names_are_unique_and_each_feature_says_what_it_is() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.doc.endswith(".") and feature.unit and feature.group for feature in FEATURES)


def test_the_classic_nine_come_first() -> None:
    values = _of("a = eval(x)\n", "try:\n    a = validate(x)\nexcept ValueError:\n    raise\n", "CWE-94")
    assert [values[name] for name, *_ in CLASSIC] == [4, 1, 1, 1, 3, 1, 1, 1, 94]


@pytest.mark.parametrize(
    ("removed", "added", "name", "expected"),
    [
        ("", "if a:\n    return b\n", "branches_added", 1),
        ("if a:\n", "if a and b:\n", "ands_net", 1),
        ("x = y\n", "x = y\n", "tokens_kept", 1),
        ("raise A\n", "pass\n", "raises_net", -1),
        ("", "# why\na = 1\n", "lines_added", 1),
        ("f(1)\n", "f(1, 2)\n", "arguments_net", 1),
        ("", "isSafePath(a)\n", "validation_added", 1),
        ("a = context\n", "a = other\n", "names_fresh", 1),
    ],
)
def test_a_feature_counts_what_its_name_says(removed: str, added: str, name: str, expected: float) -> None:
    assert _of(removed, added)[name] == expected


def test_the_remedy_depends_on_the_weakness() -> None:
    fix = "root = os.path.realpath(root)\n"
    assert _of("", fix, "CWE-22")["remedy_added"] > 0
    assert _of("", fix, "CWE-89")["remedy_added"] == 0
    assert _of("", fix, "CWE-89")["remedy_missing"] == 1
    assert _of("", fix)["remedy_missing"] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("CWE-79", 79), ("cwe-79", 79), ("79", 79), ("", 0), ("NVD-CWE-noinfo", 0), ("²", 0), ("9" * 5000, 0)],
)
def test_a_cwe_number_is_read_or_zero(text: str, expected: int) -> None:
    assert number(text) == expected


def test_java_and_c_are_read_like_python() -> None:
    java = _of(
        "", "if (!file.getCanonicalPath().startsWith(root)) {\n  throw new IOException();\n}\n", "CWE-22"
    )
    c = _of("", "if (len > sizeof(buffer))\n  return -1;\n", "CWE-120")
    assert java["branches_added"] == c["branches_added"] == 1
    assert java["raises_net"] == 1
    assert java["remedy_added"] > 0
    assert c["bounds_net"] == 2


def test_a_method_without_file_headers_is_read_leniently() -> None:
    """Sets of other people show methods; the hunk's counts may be wrong there."""
    patch = open_diff("@@ -3,7 +3,9 @@\n- a = 1\n+ a = 2\n rest\n")
    assert patch.added == [" a = 2"]
    assert patch.removed == [" a = 1"]


@settings(deadline=None)
@given(st.text(max_size=2_000), st.text(max_size=20))
def test_any_text_gives_finite_numbers(text: str, cwe: str) -> None:
    for patch in (lenient(text), lenient("+" + text.replace("\n", "\n+"))):
        assert all(math.isfinite(value) for value in vector(patch, cwe))


def test_half_a_surrogate_pair_can_be_hashed() -> None:
    odd = LabelledPatch(id="1", group="g", project="p", label=1, diff="@@\n+a = '\ud800x'\n")
    assert PatchMatrix(words=64).transform([odd]).shape == (1, len(FEATURES) + 64)


@pytest.mark.parametrize(
    "alphabet", ["A", "a1_", "=!<>&|.", "\"'\\", string.printable.replace("\n", ""), "Ａé√", " "]
)
def test_a_line_of_a_mebibyte_costs_bounded_time(alphabet: str) -> None:
    """Only the first 4,096 characters of a line are looked at once the strict parser has refused it."""
    rng = random.Random(0)
    text = "@@\n+" + "".join(rng.choices(alphabet, k=1 << 20))
    start = time.process_time()
    values = vector(open_diff(text), "CWE-1333")
    assert time.process_time() - start < 1.0
    assert len(values) == len(FEATURES)


def test_time_grows_with_the_text_and_not_faster() -> None:
    def seconds(lines: int) -> float:
        patch = lenient("@@\n" + "+if aB1 == validate(x, 'y'): return None\n" * lines)
        start = time.process_time()
        vector(patch, "CWE-79")
        return time.process_time() - start

    small = min(seconds(2_000) for _ in range(3))
    assert min(seconds(16_000) for _ in range(3)) < 8 * 4 * small


def test_ngrams_are_the_tokens_pairs_and_runs_of_both_sides() -> None:
    grams = set(ngrams(read(parse(_diff("a = load(x)\n", "a = safe_load(x)\n")), "")))
    assert {"+safe_load", "+= safe_load", "+~load", "-load", "-load (", "-~load"} <= grams
    assert "-safe_load" not in grams


def test_positions_are_found_by_name() -> None:
    assert FEATURES[index("cwe")].name == "cwe"
    with pytest.raises(KeyError):
        index("nothing")


def test_what_an_edit_does_to_its_tokens_is_counted() -> None:
    """A constant guard is one, an exchanged operator and number are found, whatever the language."""
    for lines in (
        "-return a < 3\n+if True and not b:\n+    raise ValueError\n+return a <= 4\n",
        "-return a < 3;\n+if (true && !b) {\n+  throw new Error();\n+}\n+return a <= 4;\n",
    ):
        row = vector(open_diff(f"--- a/x\n+++ b/x\n@@ -1 +1,9 @@\n{lines}"), "CWE-22")
        values = {name: row[index(name)] for name in ("guards_added", "constant_tests", "operators_swapped")}
        assert values == {"guards_added": 1.0, "constant_tests": 1.0, "operators_swapped": 1.0}
        assert (row[index("numbers_swapped")], row[index("only_adds")]) == (1.0, 0.0)


_BASE = (
    "@@ -1,7 +1,8 @@\n"
    " import os\n"
    " \n"
    " def f(a):\n"
    "-    return open(a)\n"
    "+    if '..' in a:\n"
    "+        raise ValueError('# no')\n"
    "     return a\n"
    " \n"
    " \n"
)
_TALK = {
    "a comment before": _BASE.replace("+    if", "+    # Refuse what climbs out.\n+\n+    if"),
    "a comment behind": _BASE.replace("in a:\n", "in a:  # it's a climb\n"),
    "a comment changed": _BASE.replace("     return a\n", "-    # old\n+    # new\n     return a\n"),
    "a docstring": _BASE.replace(
        "def f(a):\n", 'def f(a):\n+    """Open a file.\n+\n+    if not a: raise\n+    """\n'
    ),
    "a docstring in one line": _BASE.replace("def f(a):\n", 'def f(a):\n+    """Open if True."""\n'),
    "a version": _BASE + "-__version__ = '1.2'\n+__version__ = '1.3'\n",
    "a comment far below": _BASE + " \n \n \n \n \n \n x = 1\n+# far\n y = 2\n",
    "a comment behind a line that stays": _BASE + " \n \n \n \n-x = 1\n+x = 1  # why\n",
}


@pytest.mark.parametrize("talk", _TALK.values(), ids=_TALK)
def test_what_no_program_runs_moves_no_feature(talk: str) -> None:
    """Comments, docstrings, blank lines and version strings leave every number and every word as it is."""
    plain, told = (read(lenient(f"--- a/x.py\n+++ b/x.py\n{text}"), "CWE-22") for text in (_BASE, talk))
    named = [feature.name for feature in FEATURES]
    assert dict(zip(named, measure(told), strict=True)) == dict(zip(named, measure(plain), strict=True))
    assert ngrams(told) == ngrams(plain)


def test_strings_that_only_look_like_talk_are_code() -> None:
    for line in (
        'sql = """',
        "x = '# no comment'",
        "*args, last = a",
        "#include <stdio.h>",
        "version = read()",
    ):
        assert _of("", f"{line}\n")["lines_added"] == 1, line


def test_a_file_of_comments_alone_is_no_file_of_the_patch() -> None:
    extra = "--- a/y.py\n+++ b/y.py\n@@ -1 +1,2 @@\n a\n+# note\n"
    plain, told = (
        vector(lenient(text), "")
        for text in ("--- a/x.py\n+++ b/x.py\n" + _BASE, "--- a/x.py\n+++ b/x.py\n" + _BASE + extra)
    )
    assert told == plain
