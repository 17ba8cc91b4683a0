"""A repository's patch is cut to the release.

What is left out is named, what is missing or ambiguous is refused.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol import diff
from crisol.diff.kinds import outside
from crisol.errors import DiffError, PatchDoesNotApply, UnsupportedDiff

APP = "import os\n\n\ndef read(name):\n    return open(name)\n"
FIXED = APP.replace("    return", "    check(name)\n    return")
TREE = {"pkg/__init__.py": "", "pkg/app.py": APP, "pkg/util.py": "A = 1\n", "pkg/sub/util.py": "B = 1\n"}


def tree(files: dict[str, str] = TREE) -> diff.Tree:
    return diff.Tree(files.get, lambda: list(files))


def change(path: str, before: str = APP, after: str = FIXED) -> str:
    return diff.between({path: before}, {path: after})


def fit(text: str, files: dict[str, str] = TREE) -> diff.Fitted:
    return diff.fit(diff.read(text), tree(files))


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("pkg/app.py", ()),
        ("src/pkg/app.py", ("src/ read as ./",)),
        ("python/lib3/pkg/app.py", ("python/lib3/ read as ./",)),
        ("pkg-1.2.3/pkg/app.py", ("pkg-1.2.3/ read as ./",)),
        ("app.py", ("./ read as pkg/",)),
    ],
)
def test_a_prefix_is_found_where_one_choice_fits_and_said(path: str, note: tuple[str, ...]) -> None:
    """Repositories keep packages in folders that releases do not have, and quilt runs inside of packages."""
    fitted = fit(change(path))
    assert (fitted.files, fitted.notes) == ({"pkg/app.py": FIXED}, note)
    assert fitted.patch == diff.parse(change("pkg/app.py"))


def test_a_file_found_by_its_other_name_lends_no_prefix_to_new_files() -> None:
    """``diff -u app.py app_new.py`` names a copy; the folder is still that of the release."""
    edit = change("pkg/app.py").partition("@@")[2]
    new = "--- /dev/null\n+++ pkg/new.py\n@@ -0,0 +1 @@\n+C = 1\n"
    fitted = fit(f"--- pkg/app.py\n+++ pkg/app_new.py\n@@{edit}{new}")
    assert fitted.files == {"pkg/app.py": FIXED, "pkg/new.py": "C = 1\n"}
    assert fitted.left_out == ()
    assert fitted.notes == ("pkg/app_new.py read as pkg/app.py",)


def test_the_change_decides_between_files_of_one_name() -> None:
    """Two modules are called util.py; the hunk fits one."""
    assert fit(change("util.py", "B = 1\n", "B = 2\n")).files == {"pkg/sub/util.py": "B = 2\n"}


def test_an_ambiguous_path_is_refused_with_the_choices() -> None:
    """Both copies hold the very lines: nobody but the author knows which was meant."""
    files = {**TREE, "pkg/sub/util.py": "A = 1\n"}
    with pytest.raises(PatchDoesNotApply, match=r"util.py could be pkg/sub/util.py, pkg/util.py: .*--strip"):
        fit(change("util.py", "A = 1\n", "A = 2\n"), files)
    clear = change("pkg/app.py") + change("pkg/util.py", "A = 1\n", "A = 2\n")
    assert set(fit(clear, files).files) == {"pkg/app.py", "pkg/util.py"}


def test_of_two_copies_for_two_pythons_the_one_that_fits_is_taken() -> None:
    """lib/ and lib3/ hold the same package; the release was built of one."""
    older = APP.replace("open(name)", "file(name)")
    text = change("lib/pkg/app.py", older, older.replace("file(", "file(2, ")) + change("lib3/pkg/app.py")
    fitted = fit(text)
    assert fitted.files == {"pkg/app.py": FIXED}
    assert [str(left) for left in fitted.left_out] == ["lib/pkg/app.py (another copy of pkg/app.py)"]
    with pytest.raises(PatchDoesNotApply, match="could both be"):
        fit(change("lib/pkg/app.py", APP, APP.replace("os", "sys")) + change("lib3/pkg/app.py"))


def test_what_no_wargame_runs_is_left_out_by_name() -> None:
    """Features, identity and cache see the rest alone."""
    more = (
        change("tests/test_app.py", "A\n", "B\n")
        + change("CHANGES.rst", "A\n", "B\n")
        + change("docs/conf.py", "A\n", "B\n")
        + change(".github/workflows/ci.yml", "A\n", "B\n")
        + change("setup.py", "A\n", "B\n")
        + diff.between({}, {"reproduce.py": "import pkg\n", "src/pkg/new.py": "N = 1\n", "pkg/x.pyc": "?"})
        + "diff --git a/logo.png b/logo.png\n"
        "index 1..2 100644\n"
        "Binary files a/logo.png and b/logo.png differ\n"
    )
    fitted = fit(change("src/pkg/app.py") + more)
    assert fitted.files == {"pkg/app.py": FIXED, "pkg/new.py": "N = 1\n"}
    assert {left.path: left.why for left in fitted.left_out} == {
        "tests/test_app.py": "a test",
        "CHANGES.rst": "a changelog or notice",
        "docs/conf.py": "documentation",
        ".github/workflows/ci.yml": "CI",
        "setup.py": "packaging",
        "reproduce.py": "a new file outside the release",
        "pkg/x.pyc": "left behind by a tool",
        "logo.png": "binary",
    }
    assert "left out: " in fitted.detail
    alone = fit(change("src/pkg/app.py") + diff.between({}, {"src/pkg/new.py": "N = 1\n"}))
    assert fitted.patch.identity == alone.patch.identity


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('__version__ = "1.2.3"', '__version__ = "1.2.4"'),
        ("VERSION = (1, 2, 3, 'final', 0)", "VERSION = (1, 2, 4, 'final', 0)"),
        ("version_info = [1, 2]", "version_info = [1, 3]  # released"),
    ],
)
def test_a_version_string_moves_nothing(old: str, new: str) -> None:
    """A release's commit raises it, from another value than the vulnerable release has."""
    version = change("src/pkg/__init__.py", f"a = 1\n{old}\n", f"a = 1\n{new}\n")
    for fitted in (
        fit(change("src/pkg/app.py") + version),
        diff.cut(diff.read(change("src/pkg/app.py") + version)),
    ):
        assert [str(left) for left in fitted.left_out] == ["src/pkg/__init__.py (its version string)"]
        assert len(fitted.patch.files) == 1
    with pytest.raises(PatchDoesNotApply, match="does not fit"):
        fit(version.replace(new, f"{old[:-1]}, f()){old[-1]}"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pkg/tests/test_x.py", "a test"),
        ("testsuite/x.py", "a test"),
        ("pkg-1.0/doc/api.txt", "documentation"),
        ("NEWS", "a changelog or notice"),
        ("changes/123.bugfix.rst", "documentation"),
        ("news/123.bugfix", "a changelog or notice"),
        ("debian/rules", "packaging"),
        ("requirements-dev.txt", "packaging"),
        ("tox.ini", "CI"),
        ("pkg/stubs.pyi", "a type stub"),
        (".gitignore", "settings of a tool"),
        ("Vagrantfile", "a project file"),
        ("pkg/__pycache__/a.cpython-311.pyc", "left behind by a tool"),
        ("examples/run.py", "an example or a script"),
        # A package may hold any of these: they are source, and missed where they are missing.
        ("pkg/docs/x.py", ""),
        ("pkg/build/x.py", ""),
        ("pkg/tools/news.html", ""),
        ("pkg/tasks.py", ""),
        ("helper.py", ""),
        ("pkg/latest.py", ""),
    ],
)
def test_kinds_are_told_by_name(path: str, kind: str) -> None:
    """Only a name that leaves no doubt lets a file be left out."""
    assert outside(path, present=False) == kind


@pytest.mark.parametrize(
    "path", ["pkg/tests.py", "pkg/docs/x.py", "pkg/data/history.txt", "tests.py", "pkg/setup.py"]
)
def test_what_the_release_holds_is_source(path: str) -> None:
    """A package may have a module tests.py."""
    fitted = fit(change(path, "A = 1\n", "A = 2\n"), {"pkg/__init__.py": "", path: "A = 1\n"})
    assert set(fitted.files) == {path}


def test_a_release_that_is_a_whole_repository_is_cut_the_same() -> None:
    """Its changelog, setup.py and docs are there, and are left out all the same, whether they fit or not."""
    files = {**TREE, "CHANGES.rst": "other\n", "setup.py": "A\n", "docs/conf.py": "A\n"}
    text = change("pkg/app.py") + change("CHANGES.rst", "A\n", "B\n") + change("docs/conf.py", "A\n", "B\n")
    assert set(fit(text, files).files) == {"pkg/app.py"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (change("pkg/missing.py"), "pkg/missing.py: no such file in the source"),
        (change("other/app.pyx"), "other/app.pyx: no such file"),
        (change("pkg/app.py") + change("pkg/gone.py"), "pkg/gone.py: no such file"),
        (change("tests/test_app.py"), r"nothing is left .* left out: tests/test_app.py \(a test\)"),
        (diff.between({}, {"pkg/app.py": "A = 1\n"}), "exists already"),
        (change("pkg/app.py") + change("pkg/app.py", FIXED, APP), "cancel out"),
        (change("pkg/app.py", APP.replace("open", "file")), "does not fit"),
        (diff.between({"pkg/app.py": APP[:-1]}, {}), "does not fit"),
    ],
)
def test_a_patch_that_cannot_be_judged_is_refused(text: str, message: str) -> None:
    """A missing source file, nothing left, or lines that are not there: never valid."""
    with pytest.raises(PatchDoesNotApply, match=message):
        fit(text)


def test_a_binary_change_of_a_file_of_the_release_is_refused() -> None:
    """It belongs to the fix, and cannot be judged."""
    text = "diff --git a/pkg/util.py b/pkg/util.py\nindex 1..2\nGIT binary patch\nliteral 1\n"
    with pytest.raises(UnsupportedDiff, match="binary"):
        fit(change("pkg/app.py") + text)
    with pytest.raises(UnsupportedDiff, match="binary"):
        fit(change("src/pkg/app.py") + text.replace("pkg/", "src/pkg/"))


def test_renames_copies_and_files_made_on_the_way() -> None:
    """Each step sees the tree as the ones before it left it."""
    moved = (
        "diff --git a/src/pkg/util.py b/src/pkg/tools.py\n"
        "rename from src/pkg/util.py\n"
        "rename to src/pkg/tools.py\n"
    )
    later = change("src/pkg/tools.py", "A = 1\n", "A = 2\n")
    fitted = fit(change("src/pkg/app.py") + moved + later)
    assert fitted.files == {"pkg/app.py": FIXED, "pkg/util.py": None, "pkg/tools.py": "A = 2\n"}
    assert diff.apply(diff.parse(str(fitted.patch)), TREE.get) == fitted.files
    made = diff.between({}, {"src/pkg/new.py": "A = 1\n"}) + change("src/pkg/new.py", "A = 1\n", "A = 2\n")
    assert fit(change("src/pkg/app.py") + made).files["pkg/new.py"] == "A = 2\n"
    copied = "diff --git a/pkg/util.py b/pkg/more.py\ncopy from pkg/util.py\ncopy to pkg/more.py\n" + change(
        "x.py", "A = 1\n", "A = 2\n"
    ).split("\n", 1)[1].replace("a/x.py", "a/pkg/util.py").replace("b/x.py", "b/pkg/more.py")
    assert fit(copied).files == {"pkg/more.py": "A = 2\n"}


def test_diff_dates_a_missing_file_to_the_beginning_of_time() -> None:
    """A diff -N names both sides of a file that is made or deleted."""
    new = (
        "--- old/pkg/new.py\t1970-01-01 00:00:00 +0000\n"
        "+++ new/pkg/new.py\t2026-01-01 00:00:00 +0000\n"
        "@@ -0,0 +1 @@\n"
        "+A\n"
    )
    gone = (
        "--- old/pkg/util.py\t2026-01-01 00:00:00\n"
        "+++ new/pkg/util.py\t1970-01-01 01:00:00\n"
        "@@ -1 +0,0 @@\n"
        "-A = 1\n"
    )
    plain = change("new/pkg/app.py").split("\n", 1)[1]
    assert fit(plain + new + gone).files == {"pkg/app.py": FIXED, "pkg/new.py": "A\n", "pkg/util.py": None}


def test_lines_end_as_the_release_has_them() -> None:
    """A checkout with CRLF makes patches for a release with LF, and the other way round."""
    text = change("pkg/app.py", APP.replace("\n", "\r\n"), FIXED.replace("\n", "\r\n"))
    assert fit(text).files == {"pkg/app.py": FIXED}
    crlf = {"pkg/app.py": APP.replace("\n", "\r\n")}
    assert fit(change("pkg/app.py"), crlf).files == {"pkg/app.py": FIXED.replace("\n", "\r\n")}


def test_a_misfit_names_both_lines_and_the_fuzz_of_patch() -> None:
    """Which line was wanted, what stands there, and what patch would do about it."""
    text = change(
        "pkg/app.py", APP.replace("import os", "import sys"), FIXED.replace("import os", "import sys")
    )
    text = text.replace("@@ -2,", "@@ -1,")
    with pytest.raises(PatchDoesNotApply) as caught:
        fit(
            change(
                "pkg/app.py",
                APP.replace("def read(name)", "def read(path)"),
                FIXED.replace("def read(name)", "def read(path)"),
            )
        )
    assert "line 3 of its old lines is 'def read(path):', line 4 of the file is 'def read(name):'" in str(
        caught.value
    )
    assert "--fuzz=3" in str(caught.value)


@pytest.mark.skipif(shutil.which("patch") is None, reason="compares with patch")
@pytest.mark.parametrize("row", range(8))
def test_the_fuzz_is_the_one_that_patch_needs(row: int, tmp_path: Path) -> None:
    """Whatever context line differs, patch takes the hunk with that fuzz and not with less."""
    lines = [f"{number}\n" for number in range(30)]
    after = [*lines[:12], "new\n", *lines[13:]]
    text = diff.between({"x.py": "".join(lines)}, {"x.py": "".join(after)})
    stands = list(lines)
    stands[9 + row - (row > 6)] = "other\n"
    (tmp_path / "x.py").write_text("".join(stands))
    with pytest.raises(PatchDoesNotApply) as caught:
        fit(text, {"x.py": "".join(stands)})

    def taken(fuzz: int) -> bool:
        command = ["patch", "-p1", "--dry-run", "-s", "-f", f"--fuzz={fuzz}"]
        return (
            subprocess.run(
                command, cwd=tmp_path, input=text, text=True, check=False, capture_output=True
            ).returncode
            == 0
        )

    needed = next((fuzz for fuzz in range(1, 4) if taken(fuzz)), None)
    assert (f"--fuzz={needed}" if needed else "no fuzz would help") in str(caught.value)


def test_a_misfit_hunk_without_changes_is_to_be_left_out() -> None:
    """A hunk of context lines only that does not fit is a typed error with advice."""
    text = change("pkg/app.py") + "@@ -40,2 +41,2 @@\n not\n there\n"
    with pytest.raises(PatchDoesNotApply, match="changes nothing: leave it out"):
        fit(text)


def test_what_stands_there_already_is_said() -> None:
    """A release that has the fix is not one without the file."""
    with pytest.raises(PatchDoesNotApply, match="has its new lines already"):
        fit(change("pkg/app.py"), {"pkg/app.py": FIXED})


def test_without_a_tree_the_names_decide() -> None:
    """A prediction without a known vulnerability sees no changelog either."""
    both = (
        change("CHANGES.rst", "A\n", "B\n")
        + change("src/pkg/app.py")
        + change("tests/test_app.py", "A\n", "B\n")
    )
    cut = diff.cut(diff.read(both))
    assert cut.patch == diff.parse(change("src/pkg/app.py"))
    assert [left.why for left in cut.left_out] == ["a changelog or notice", "a test"]
    with pytest.raises(PatchDoesNotApply, match="nothing is left"):
        diff.cut(diff.read(change("NEWS", "A\n", "B\n")))


LINES = st.lists(
    st.sampled_from(["", " ", "a", "b", "c", "--- x", "+++ y", "@@ -1 +1 @@", "é", "x\ty"]), max_size=12
)
TEXT = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


@settings(max_examples=200)
@given(texts=st.lists(TEXT, min_size=2, max_size=4), prefix=st.sampled_from(["", "src/"]))
def test_a_series_composes(texts: list[str], prefix: str) -> None:
    """Any changes of one file in turn are one change of it, which leads to the same text and parses."""
    series = "".join(
        diff.between({f"{prefix}pkg/x.py": before}, {f"{prefix}pkg/x.py": after})
        for before, after in pairwise(texts)
        if before != after
    )
    if not series:
        return
    files = {"pkg/__init__.py": "", "pkg/x.py": texts[0]}
    if texts[0] == texts[-1]:
        with pytest.raises(PatchDoesNotApply, match="cancel out"):
            fit(series, files)
        return
    fitted = fit(series, files)
    assert fitted.files == {"pkg/x.py": texts[-1]}
    assert diff.parse(str(fitted.patch)) == fitted.patch
    assert diff.apply(fitted.patch, files.get) == fitted.files


PATHS = ("pkg/x.py", "pkg/y.py", "pkg/z.py")
MOVES = st.tuples(st.sampled_from(["write", "delete", "rename", "copy"]), *[st.sampled_from(PATHS)] * 2, TEXT)


def moved(files: dict[str, str], way: str, old: str, new: str, text: str) -> str:
    """Change ``files``; return the diff of that change, "" if there is nothing to change."""
    before = dict(files)
    if way == "write":
        files[old] = text
        return diff.between(before, files)
    if old not in files:
        return ""
    source = files[old] if way == "copy" else files.pop(old)
    if way == "delete":
        return diff.between(before, files)
    if new in before or (way == "copy" and not text):
        files[old] = source
        return ""  # a file is in the way, or a mere copy, which is left out
    files[new] = source + text
    edit = diff.between({new: source}, {new: files[new]}).partition("\n")[2]
    head = f"diff --git a/{old} b/{new}\n{way} from {old}\n{way} to {new}\n"
    return head + edit.replace(f"--- a/{new}", f"--- a/{old}", 1)


@settings(max_examples=300)
@given(moves=st.lists(MOVES, min_size=2, max_size=6), text=TEXT)
def test_moves_compose(moves: list[tuple[str, str, str, str]], text: str) -> None:
    """Files that are made, deleted, renamed and copied in turn are one patch, or a typed error."""
    before = {"pkg/__init__.py": "", "pkg/x.py": text, "pkg/y.py": "a\n"}
    after = dict(before)
    series = "".join(moved(after, *move) for move in moves)
    try:
        fitted = fit(series, before)
    except (DiffError, PatchDoesNotApply) as error:
        assert not series or re.search("cancel out|moves the file away|nothing is left", str(error))  # noqa: PT017
        return
    assert {**before, **fitted.files} == {**before, **dict.fromkeys(before.keys() - after), **after}
    assert diff.apply(diff.parse(str(fitted.patch)), before.get) == fitted.files


@pytest.mark.parametrize("way", ["rename", "copy"])
def test_a_file_takes_the_place_of_a_deleted_one(way: str) -> None:
    """The result has one change of that path, so that it can be applied again."""
    head = f"diff --git a/pkg/app.py b/pkg/util.py\n{way} from pkg/app.py\n{way} to pkg/util.py\n"
    edit = change("pkg/app.py").partition("\n")[2].replace("+++ b/pkg/app.py", "+++ b/pkg/util.py")
    fitted = fit(diff.between({"pkg/util.py": "A = 1\n"}, {}) + head + edit)
    assert fitted.files == {"pkg/util.py": FIXED, **({"pkg/app.py": None} if way == "rename" else {})}
    assert diff.apply(diff.parse(str(fitted.patch)), TREE.get) == fitted.files


PIECES = st.sampled_from(
    [
        *change("pkg/app.py").splitlines(), *change("tests/x.py").splitlines(), "```diff", "```", "-- ", "--",
        "", "+x", "- y",
        "From 1 Mon", "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable",
        "--- /dev/null",
        "+++ b/pkg/new.py", "@@ -0,0 +1 @@", "rename from pkg/app.py", "rename to pkg/b.py",
        "copy from pkg/app.py",
        "copy to pkg/c.py", "deleted file mode 100644", "new file mode 160000", "GIT binary patch",
        "\\ No newline", "=20=",
        "Binary files a/x and b/y differ", "diff --git a/pkg/app.py b/pkg/b.py", " \ud800", "@@ -9,1 +9,2 @@",
        "\r",
    ]
)  # fmt: skip


@settings(max_examples=600)
@given(
    st.lists(PIECES, max_size=30).map("\n".join) | st.text(max_size=80),
    st.booleans(),
    st.none() | st.integers(0, 2),
)
def test_any_text_is_fitted_or_refused(text: str, recount: bool, strip: int | None) -> None:
    """No text raises anything but a typed error; what fits parses again and leads to the same files."""
    try:
        series = diff.read(text, reading=diff.ReadOptions(strip, recount))
        diff.cut(series)
    except (DiffError, PatchDoesNotApply):
        return
    try:
        fitted = diff.fit(series, tree())
    except (DiffError, PatchDoesNotApply):
        return
    assert diff.apply(diff.parse(str(fitted.patch)), TREE.get) == fitted.files


def test_the_search_for_a_place_is_bounded() -> None:
    """Lines that are all alike, in a file that the patch made.

    The effort is bounded by the lines there are.
    """
    made = diff.between({}, {"pkg/big.py": "a\nb\n" * 10_000})
    body = " a\n b\n" * 5_000 + "-b\n+c\n"
    text = f"{change('pkg/app.py')}{made}--- a/pkg/big.py\n+++ b/pkg/big.py\n@@ -9,10001 +9,10001 @@\n{body}"
    with pytest.raises(PatchDoesNotApply, match="too much alike"):
        fit(text)
