"""Patches are read in every form in which people have them; nothing of a hunk is dropped."""

from __future__ import annotations

import base64
import quopri
import textwrap

import pytest

from crisol import diff
from crisol.errors import MalformedDiff, PatchDoesNotApply, UnsafeDiff, UnsupportedDiff

SOURCE = "".join(f"line {number}\n" for number in range(1, 10)) + "\n\nend = 'ü'\n"
DIFF = """diff --git a/x.py b/x.py
index 1111111..2222222 100644
--- a/x.py
+++ b/x.py
@@ -2,5 +2,6 @@ def f():
 line 2
 line 3
-line 4
+line four
+line 4.5
 line 5
 line 6
"""
GIT = "diff --git a/x.py b/x.py\nindex 1111111..2222222 100644\n"
AFTER = SOURCE.replace("line 4\n", "line four\nline 4.5\n")
MAIL = (
    "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
    "From: Ann <a@example.org>\n"
    "Subject: [PATCH 1/2] Mend it\n"
    "{headers}\n"
    "- a list\n"
    "+ of things\n"
    "\n"
    "---\n"
    " x.py | 3 ++-\n"
    "\n"
    "{body}-- \n"
    "2.39.5\n"
    "\n"
)
SECOND = DIFF[: DIFF.index("@@")] + "@@ -9,4 +9,4 @@\n line 8\n-line 9\n+line nine\n \n \n"


def result(text: str | bytes, reading: diff.ReadOptions | None = None) -> str | None:
    """Return what the text makes of the source."""
    tree = diff.Tree({"x.py": SOURCE}.get, lambda: ["x.py"])
    return diff.fit(diff.read(text, reading=reading or diff.ReadOptions()), tree).files["x.py"]


def quoted(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


def coded(text: str) -> str:
    return base64.encodebytes(text.encode()).decode()


def header(encoding: str) -> str:
    return f"Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: {encoding}\n"


MULTIPART = (
    'From: Ann <a@example.org>\nContent-Type: multipart/mixed; boundary="=-xyz"\n\n--=-xyz\n'
    f"{header('base64')}\n{coded('See the patch.')}\n--=-xyz\n"
    f"Content-Disposition: attachment\n{header('base64')}\n"
    f"{coded(DIFF)}\n--=-xyz--\n"
)
INDENTED = f"1. So:\n\n{textwrap.indent(f'```diff{chr(10)}{DIFF}```', '   ', lambda _: True)}\n"


@pytest.mark.parametrize(
    "text",
    [
        DIFF,
        DIFF.encode(),
        b"\xef\xbb\xbf" + DIFF.encode(),
        DIFF.encode("utf-16"),
        DIFF.replace("\n", "\r\n"),
        DIFF.removeprefix(GIT),
        MAIL.format(headers="", body=DIFF),
        MAIL.format(headers="", body=DIFF).replace("Ann", "Jos\xe9").encode("latin-1"),
        MAIL.format(headers=header("quoted-printable"), body=quoted(DIFF)),
        MAIL.format(headers=header("base64"), body="").replace("- a list", coded(DIFF)).split("+ of")[0],
        MULTIPART,
        MULTIPART.replace("\n", "\r\n"),
        ('From: Ann\n'
        'Content-Type: multipart/mixed;\n'
        ' boundary="----x1"\n'
        '\n'
        '------x1\n'
        'Content-Type: text/plain\n'
        '\n'
        'See\n'
        '------x1\n'
        '\n'
        f'{DIFF}\n'
        '------x1--\n'),
        ("From: Ann\n"
        "Content-Type: multipart/mixed; boundary=--x1\n"
        "\n"
        "----x1\n"
        "Content-Type: text/plain\n"
        "\n"
        f"{DIFF}----x1--\n"),
        f"commit 123\nAuthor: Ann\n\n    Mend it\n    -x\n\n{DIFF}",
        (
            f"Sure:\n\n```diff\n{DIFF}```\n\n"
            "- it is right\n+ and short\n\n-rw is no line of it after the fence\n"
        ),
        INDENTED,
        INDENTED.replace("\n", "\r\n"),
        f"{header('base64')}\n{coded(INDENTED)}",
        DIFF + "- resolves the path\n- refuses the rest\n",
        DIFF + "---\nThis should do.\n",
        DIFF + "\nThis should do.\n",
        DIFF.replace("a/x.py b/x.py", "i/x.py w/x.py").replace("--- a/", "--- i/").replace("+++ b/",
        "+++ w/"),
        DIFF.replace("a/x.py b/x.py", "x.py x.py").replace("--- a/", "--- ").replace("+++ b/", "+++ "),
        DIFF.removeprefix(GIT).replace("--- a/x.py", "--- ./x.py.orig").replace("+++ b/", "+++ ./"),
        DIFF.removeprefix(GIT).replace("--- a/x.py", "--- x_org.py").replace("+++ b/", "+++ "),
        DIFF.removeprefix(GIT).replace("--- a/x.py", "--- x.py 2026-01-01 10:00:00.0 +0100"),
        DIFF.removeprefix(GIT).replace("--- a/x.py", "--- x.py\t(revision 1)").replace("+++ b/x.py",
        "+++ x.py\t(working copy)"),
        "Index: x.py\n" + "=" * 67 + "\n" + DIFF.removeprefix(GIT) + "\nProperty changes on: x.py\n+native\n",
        "# HG changeset patch\ndiff -r 1 -r 2 x.py\n" + DIFF.removeprefix(GIT),
    ],
)  # fmt: skip
def test_every_form_gives_the_same_change(text: str | bytes) -> None:
    """Encodings, mails, fences, prefixes and backup names are how a patch travels, not what it says."""
    assert result(text) == AFTER


def test_carriage_returns_of_transport_change_no_identity_below_an_indented_fence() -> None:
    assert diff.parse(INDENTED.replace("\n", "\r\n")).identity == diff.parse(DIFF).identity


@pytest.mark.parametrize("end", ["", "-- \n2.39.5\n", "--\n2.39.5\n", "```\n", "From 1 Mon\nSubject: x\n"])
def test_empty_lines_that_a_mail_program_took_are_put_back(end: str) -> None:
    """They are context, so they have to stand in the source."""
    torn = SECOND.removesuffix(" \n \n")
    assert result(torn + end) == SOURCE.replace("line 9", "line nine")
    series = diff.read(torn + end)
    assert "lacks 2 lines" in series.notes[0]
    with pytest.raises(PatchDoesNotApply, match="lacks 1 "):
        result(DIFF.removesuffix(" line 6\n") + end)


def test_a_series_is_applied_in_its_order() -> None:
    """Commits one after the other become one patch against the release."""
    tree = diff.Tree({"x.py": SOURCE}.get, lambda: ["x.py"])
    third = DIFF[: DIFF.index("@@")] + "@@ -3,3 +3,3 @@\n line 3\n-line four\n+line 4!\n line 4.5\n"
    for text in (
        DIFF + SECOND + third,
        "".join(MAIL.format(headers="", body=body) for body in (DIFF, SECOND, third)),
    ):
        fitted = diff.fit(diff.read(text), tree)
        wanted = AFTER.replace("line 9", "line nine").replace("line four", "line 4!")
        assert fitted.files == {"x.py": wanted}
        assert diff.apply(diff.parse(str(fitted.patch)), tree.read) == fitted.files
        assert (
            diff.parse(str(fitted.patch)).identity
            == diff.parse(diff.between({"x.py": SOURCE}, {"x.py": wanted})).identity
        )


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("+one more\n", 13),
        ("\n+one more\n", 14),
        ("\n\n-    gone\n", 15),
        (" context\n", 13),
        ("def g():\n+    pass\n", 14),
        ("\n+C = 3\n+D = 4\n", 14),
        ("---\n+ok = 1\n", 14),
    ],
)
def test_a_hunk_is_never_cut(tail: str, line: int) -> None:
    """Lines below a hunk that look like its own are refused, also after an empty line."""
    with pytest.raises(MalformedDiff, match="more lines than its header says") as caught:
        diff.read(DIFF + tail)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DIFF.replace("-2,5 +2,6", "-2,9 +2,9"),
            "ends inside a hunk: its header promises 4 more old and 3 more new"),
        (DIFF.replace("-2,5 +2,6", "-2,9 +2,9") + GIT, "ends early: its header promises 4 more"),
        (DIFF.replace(" line 5", "line 5"), "a hunk line starts with a space"),
        (DIFF.encode().replace(b"line four", b"line \xff"), "not UTF-8"),
        ("*** Begin Patch\n*** Update File: x.py\n@@\n-a\n+b\n", "as some language models write it"),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", "search-and-replace"),
        (textwrap.indent(DIFF, "> ", lambda _: True), "quoted with >"),
        (textwrap.indent(DIFF, "    ", lambda _: True), "indented"),
        ("*** x.py\n--- x.py\n***************\n*** 1 ****\n", "context diff"),
        ("4c4\n< a\n---\n> b\n", "without context"),
        ('{"diff": "--- a/x\\n+++ b/x\\n@@ -1 +1 @@"}'.replace("\n", "\\n"), "JSON"),
        ("\x1b[1mdiff --git a/x b/x\x1b[m\n", "colour"),
        ("@@ def f @@\n-a\n+b\n", "a hunk without numbers"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_its_remedy(text: str | bytes, message: str) -> None:
    """One message says what the text is and what to do."""
    with pytest.raises(MalformedDiff, match=message):
        diff.read(text)


def test_the_combined_diff_of_a_merge_is_refused() -> None:
    """It says which lines differ from both parents; no tool can apply it."""
    with pytest.raises(UnsupportedDiff, match="merge"):
        diff.read("diff --cc x.py\nindex 1,2..3\n--- a/x.py\n+++ b/x.py\n@@@ -1,1 -1,1 +1,2 @@@\n  a\n++b\n")


@pytest.mark.parametrize("counts", ["-2,4 +2,5", "-2,9 +2,9", "-2,5 +2,5", "-2 +2"])
@pytest.mark.parametrize("tail", ["", "\nThat is it.\n", "```\n", "-- \n2.39.5\n"])
def test_recount_takes_a_hunk_as_long_as_its_lines(counts: str, tail: str) -> None:
    """Only where it is asked for, and it is said."""
    text = DIFF.replace("-2,5 +2,6", counts) + tail
    with pytest.raises(MalformedDiff):
        diff.read(text)
    series = diff.read(text, reading=diff.ReadOptions(recount=True))
    assert "the hunk has 5 and 6" in series.notes[0]
    assert result(text, diff.ReadOptions(recount=True)) == AFTER


def test_strip_takes_parts_off_as_patch_does() -> None:
    """With --strip the prefixes are the caller's business."""
    text = DIFF.replace("a/x.py", "one/two/x.py").replace("b/x.py", "one/two/x.py")
    assert diff.read(text, reading=diff.ReadOptions(strip=2)).steps[0].change.path == "x.py"
    with pytest.raises(UnsafeDiff, match="smaller --strip"):
        diff.read(text, reading=diff.ReadOptions(strip=3))


def test_strict_readers_refuse_what_a_series_sets_aside() -> None:
    """``parse`` takes all of a text or nothing: its caller asks for a patch, not for a part of one."""
    submodule = (
        "diff --git a/demo b/demo\n"
        "new file mode 160000\n"
        "index 0..1\n"
        "--- /dev/null\n"
        "+++ b/demo\n"
        "@@ -0,0 +1 @@\n"
        "+Subproject commit 1\n"
    )
    copy = "diff --git a/x.py b/y.py\nsimilarity index 100%\ncopy from x.py\ncopy to y.py\n"
    binary = "diff --git a/x.pyc b/x.pyc\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKcmZ=q00961\n\n"
    for text, why in ((submodule, "a submodule"), (copy, "a copy of x.py"), (binary, "binary")):
        assert [stray.why for stray in diff.read(DIFF + text).strays] == [why]
        with pytest.raises((UnsafeDiff, UnsupportedDiff)):
            diff.parse(DIFF + text)
