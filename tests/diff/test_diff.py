"""The diff parser refuses what a referee must not run, and keeps what it accepts exactly."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol import diff
from crisol.diff.patch import header
from crisol.errors import (
    DiffError,
    DiffTooLarge,
    MalformedDiff,
    PatchDoesNotApply,
    UnsafeDiff,
    UnsupportedDiff,
)

if TYPE_CHECKING:
    from pathlib import Path

HUNK = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
PLAIN = f"--- a/x.py\n+++ b/x.py\n{HUNK}"


def head(old: str = "a/x.py", new: str = "b/x.py") -> str:
    return f"--- {old}\n+++ {new}\n{HUNK}"


def test_git_and_plain_forms_have_one_identity() -> None:
    """Timestamps, index lines, messages, headings and prefixes do not change the identity."""
    git = f"From 1a2b\nSubject: x\n\ndiff --git a/x.py b/x.py\nindex 1..2 100644\n{PLAIN}-- \n2.39\n"
    dated = head("x.py\t2020-01-01 00:00:00", "x.py\t2026-11-23 10:00:00 +0100")
    heading = PLAIN.replace("@@\n", "@@ def f():\n")
    mailed = PLAIN.replace("\n", "\r\n")
    identities = {diff.parse(text).identity for text in (PLAIN, git, dated, heading, mailed)}
    assert len(identities) == 1


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("+c", "+d"),
        PLAIN.replace("+c", "+c "),
        PLAIN.replace("-1,2 +1,2", "-2,2 +2,2"),
        PLAIN.replace("x.py", "y.py"),
        PLAIN + "\\ No newline at end of file\n",
    ],
)
def test_every_line_counts_for_the_identity(other: str) -> None:
    """Content, place, path and final line feed each change the identity."""
    assert diff.parse(PLAIN).identity != diff.parse(other).identity


def test_files_in_any_order_are_the_same_patch() -> None:
    """The order of the files is presentation."""
    one, two = PLAIN, PLAIN.replace("x.py", "y.py")
    assert diff.parse(one + two) == diff.parse(two + one)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", MalformedDiff),
        ("hello\n", MalformedDiff),
        (HUNK, MalformedDiff),
        ("--- a/x.py\n+++ b/x.py\n", MalformedDiff),
        (head("/dev/null", "/dev/null"), MalformedDiff),
        (PLAIN + "+one more\n", MalformedDiff),
        (PLAIN.removesuffix("+c\n"), MalformedDiff),
        (PLAIN.replace(" a\n", "*a\n"), MalformedDiff),
        (PLAIN.replace("@@ -1,2", "@@ -0,2"), MalformedDiff),
        (PLAIN + HUNK, MalformedDiff),
        (PLAIN + PLAIN, MalformedDiff),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n", MalformedDiff),
        (head("a/x.py", "b/y.py"), MalformedDiff),
        (head("a/../x", "b/../x"), UnsafeDiff),
        (head("/etc/passwd", "/etc/passwd"), UnsafeDiff),
        (head("a//etc/passwd", "b//etc/passwd"), UnsafeDiff),
        (head('"a/\\056\\056/x"', '"b/\\056\\056/x"'), UnsafeDiff),
        (head("C:x", "C:x"), UnsafeDiff),
        (head("a/x\\y", "b/x\\y"), UnsafeDiff),
        (head("a/.git/config", "b/.git/config"), UnsafeDiff),
        (head('"a/\\377"', '"b/\\377"'), UnsafeDiff),
        (f"diff --git a/l b/l\nnew file mode 120000\n{PLAIN}", UnsafeDiff),
        (f"diff --git a/l b/l\nnew file mode 160000\n{PLAIN}", UnsafeDiff),
        ("diff --git a/b b/b\nindex 1..2\nGIT binary patch\nliteral 1\n", UnsupportedDiff),
        ("Binary files a/x and b/x differ\n", UnsupportedDiff),
        (PLAIN + "\0", UnsupportedDiff),
        ("diff --git a/x b/y\ncopy from x\ncopy to y\n", UnsupportedDiff),
        (b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-\xff\n+a\n", MalformedDiff),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-\ud800\n+a\n", MalformedDiff),
    ],
)
def test_refuses_with_a_typed_error(text: str | bytes, error: type[DiffError]) -> None:
    """What is no unified diff, leaves the tree, is binary or contradicts itself is refused by kind."""
    with pytest.raises(error):
        diff.parse(text)


def test_an_error_names_the_line() -> None:
    """The message says where."""
    with pytest.raises(MalformedDiff, match="line 4") as caught:
        diff.parse(PLAIN.replace(" a\n", "*a\n"))
    assert caught.value.line == 4


@pytest.mark.parametrize(
    "limits",
    [
        diff.DiffLimits(bytes=10),
        diff.DiffLimits(lines=3),
        diff.DiffLimits(line_characters=8),
        diff.DiffLimits(hunks=0),
        diff.DiffLimits(files=0),
    ],
)
def test_refuses_what_is_over_a_limit(limits: diff.DiffLimits) -> None:
    """Each limit alone is enough to refuse."""
    with pytest.raises(DiffTooLarge):
        diff.parse(PLAIN, limits)


def test_rename_create_delete() -> None:
    """Renames move the text, a created file must be new, a deleted one must be emptied."""
    rename = f"diff --git a/x.py b/y.py\nrename from x.py\nrename to y.py\n{head('a/x.py', 'b/y.py')}"
    assert diff.apply(diff.parse(rename), {"x.py": "a\nb\n"}.get) == {"x.py": None, "y.py": "a\nc\n"}
    create = diff.parse("--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+a\n")
    assert diff.apply(create, {}.get) == {"n.py": "a\n"}
    with pytest.raises(PatchDoesNotApply, match="exists already"):
        diff.apply(create, {"n.py": ""}.get)
    delete = diff.parse("--- a/n.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    assert diff.apply(delete, {"n.py": "a\n"}.get) == {"n.py": None}
    with pytest.raises(PatchDoesNotApply, match="leaves lines"):
        diff.apply(delete, {"n.py": "a\nb\n"}.get)


def test_apply_finds_the_one_place_and_takes_no_fuzz() -> None:
    """Shifted hunks fit where their lines stand once, altered context does not."""
    patch = diff.parse(PLAIN)
    assert diff.apply(patch, {"x.py": "0\n0\na\nb\nz\n"}.get) == {"x.py": "0\n0\na\nc\nz\n"}
    twice = "0\na\nb\n0\na\nb\n"
    with pytest.raises(
        PatchDoesNotApply, match=r"at line 1 are not there, but at the lines 2, 5: give the line numbers"
    ):
        diff.apply(patch, {"x.py": twice}.get)
    there = diff.parse(PLAIN.replace("-1,2 +1,2", "-5,2 +5,2"))
    assert diff.apply(there, {"x.py": twice}.get) == {"x.py": "0\na\nb\n0\na\nc\n"}
    with pytest.raises(PatchDoesNotApply, match="line 1"):
        diff.apply(patch, {"x.py": "A\nb\n"}.get)
    with pytest.raises(PatchDoesNotApply, match="no such file"):
        diff.apply(patch, {}.get)


def test_apply_keeps_the_line_ends_of_the_file() -> None:
    """A patch with LF applies to a CRLF file and leaves it CRLF."""
    assert diff.apply(diff.parse(PLAIN), {"x.py": "a\r\nb\r\n"}.get) == {"x.py": "a\r\nc\r\n"}


def test_no_newline_markers_are_honoured() -> None:
    """The final line feed is part of the match and of the result."""
    text = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
    patch = diff.parse(text)
    assert diff.apply(patch, {"x": "a"}.get) == {"x": "b\n"}
    with pytest.raises(PatchDoesNotApply):
        diff.apply(patch, {"x": "a\n"}.get)


TEXTS = st.lists(st.sampled_from(["", " ", "a", "b", "--- x", "@@ -1 +1 @@", "é", "\f", "x\ty"]), max_size=12)
FILE = st.builds(lambda lines, end: "\n".join(lines) + end, TEXTS, st.sampled_from(["", "\n"]))
TREES = st.dictionaries(st.sampled_from(["x.py", "p/y.py", "a b.py", "ü.py"]), FILE, max_size=3)


@given(old=TREES, new=TREES, context=st.integers(0, 4))
def test_between_parse_apply_is_the_identity(old: dict[str, str], new: dict[str, str], context: int) -> None:
    """A diff made from two trees turns the one into the other, also through its canonical text."""
    text = diff.between(old, new, context)
    if not text:
        assert old == new
        return
    patch = diff.parse(text)
    assert diff.parse(str(patch)) == patch
    changed = diff.apply(patch, old.get)
    result = {path: text for path, text in {**old, **changed}.items() if text is not None}
    assert result == new


@settings(max_examples=300)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from([*PLAIN.splitlines(), "--- ", "+++ ", "@@", "diff --git a/x b/x", "\\ No", "", "-"]),
    ).map("\n".join),
)
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text raises anything but a DiffError, and what parses survives its canonical form."""
    try:
        patch = diff.parse(text)
    except DiffError:
        return
    assert diff.parse(str(patch)).identity == patch.identity


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git apply")
@settings(max_examples=25, deadline=None)
@given(old=FILE, new=FILE)
def test_agrees_with_git_apply(tmp_path_factory: pytest.TempPathFactory, old: str, new: str) -> None:
    """What git makes of the same diff is what we make of it."""
    text = diff.between({"x.py": old}, {"x.py": new})
    if not text:
        return
    folder: Path = tmp_path_factory.mktemp("git")
    (folder / "x.py").write_bytes(old.encode())
    subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=folder, input=text.encode(), check=True)
    mine = diff.apply(diff.parse(text), {"x.py": old}.get)["x.py"]
    assert (folder / "x.py").read_bytes() == (mine or "").encode()


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git diff")
@pytest.mark.parametrize("name", ["a b.py", "a\\b.py", 'a"b.py', "a\tb\nc\x01\x7f.py", "\xe9.py"])
def test_paths_are_quoted_as_git_quotes_them(tmp_path: Path, name: str) -> None:
    git = ["git", "-C", str(tmp_path)]
    (tmp_path / name).write_text("")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    shown = subprocess.run([*git, "diff", "--cached"], check=True, capture_output=True).stdout.decode()
    assert shown.splitlines()[:2] == header(None, name)
