"""Candidates from outside are taken in whole, once, cut to their release, and judged like all the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crisol import diff
from crisol.cli import app
from crisol.config import load_settings
from crisol.errors import DatasetError, UnknownVulnerability
from crisol.records import Candidate, Origin
from crisol.wargaming.fitting import fitted, source_tree
from crisol.wargaming.intake import ImportBase, Manner, Same, imported, kept, remove, take

Grounds = Callable[[str], ImportBase]
A = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
B = A.replace("x = 2", "x = 3")
TESTS = diff.between({"tests/test_app.py": "a\n"}, {"tests/test_app.py": "b\n"})
REFERENCE = A.replace("x = 2", "x = 4")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text("x = 1\n")
    return root


@pytest.fixture
def grounds(tree: Path) -> Grounds:
    own = (Candidate("v", "reference", Origin.HAND, REFERENCE),)

    def find(name: str) -> ImportBase:
        if name not in {"v", "w"}:
            raise UnknownVulnerability(f"no vulnerability {name!r}")
        return ImportBase(lambda text, reading: fitted(text, tree, reading), own)

    return find


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_folder_and_a_file_are_taken_and_nothing_twice(tmp_path: Path, grounds: Grounds) -> None:
    """A reformatted header does not make another patch of it.

    What equals the reference is taken, and said.
    """
    patches, inbox = tmp_path / "patches", tmp_path / "inbox"
    patches.mkdir()
    (patches / "one.diff").write_text(A)
    (patches / "notes.txt").write_text("not a patch")
    (patches / "folder.patch").mkdir()
    first = take(patches, inbox, grounds, Manner("v"))
    assert (first.added, first.same) == ({"v": 1}, ())
    again = A.replace("b/app.py", "b/app.py\t2026-01-01 00:00:00")
    lines = jsonl(
        tmp_path / "p.jsonl",
        {"vulnerability": "v", "diff": again, "name": "other"},
        {"vulnerability": "v", "diff": REFERENCE, "name": "fix"},
        {"vulnerability": "v", "diff": B, "name": "two", "origin": "agent", "licence": "MIT"},
        {"vulnerability": "w", "diff": A},
    )
    second = take(lines, inbox, grounds)
    assert second.added == {"v": 2, "w": 1}
    assert [(one.name, one.other) for one in second.same] == [("other", "one"), ("fix", "reference")]
    assert [(one.name, one.origin, one.licence) for one in kept(inbox, "v")] == [
        ("one", "import", ""),
        ("fix", "import", ""),
        ("two", "agent", "MIT"),
    ]
    assert list(kept(inbox, "x")) == []


def test_a_patch_of_the_vulnerability_itself_is_named_and_the_import_goes_on(
    tmp_path: Path, grounds: Grounds
) -> None:
    """Name and change of an own patch: it is left out; its name with another change is refused."""
    inbox = tmp_path / "inbox"
    own = {"vulnerability": "v", "diff": REFERENCE, "name": "reference"}
    other = {"vulnerability": "v", "diff": A, "name": "one"}
    intake = take(jsonl(tmp_path / "p.jsonl", own, other), inbox, grounds)
    assert (intake.added, intake.same) == ({"v": 1}, (Same("v", "reference", "reference"),))
    assert [candidate.name for candidate in kept(inbox, "v")] == ["one"]
    with pytest.raises(DatasetError, match="another patch named 'reference'"):
        take(jsonl(tmp_path / "p.jsonl", own | {"diff": B}), inbox, grounds)


def test_unnamed_lines_of_two_files_are_both_taken(tmp_path: Path, grounds: Grounds) -> None:
    """A name is optional; what is made up for one never stands in another's way."""
    for text in (A, B):
        take(jsonl(tmp_path / "p.jsonl", {"vulnerability": "v", "diff": text}), tmp_path / "inbox", grounds)
    names = [candidate.name for candidate in kept(tmp_path / "inbox", "v")]
    assert len(set(names)) == 2


def test_a_patch_is_kept_as_it_is_judged(tmp_path: Path, grounds: Grounds) -> None:
    """A repository's patch, a mail or an answer with prose is cut to the release; the rest is named."""
    path = tmp_path / "answer.patch"
    path.write_text(f"Sure:\n\n```diff\n{A.replace('app.py', 'src/app.py')}{TESTS}```\n\n- done\n")
    intake = take(path, tmp_path / "inbox", grounds, Manner("v", Origin.AGENT, "MIT"))
    assert intake.cut == ("answer: src/ read as ./; left out: tests/test_app.py (a test)",)
    (candidate,) = kept(tmp_path / "inbox", "v")
    assert (candidate.origin, candidate.licence) == ("agent", "MIT")
    assert diff.parse(candidate.diff) == diff.parse(A)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"vulnerability": "v"}, r"line 2: KeyError\('diff'\)"),
        ({"vulnerability": "v", "diff": 1}, "line 2: diff, vulnerability and licence must be text"),
        ({"vulnerability": "v", "diff": " \n"}, "line 2: the diff is empty"),
        ({"vulnerability": "v", "diff": B, "origin": "mars"}, "line 2"),
        ({"vulnerability": "v", "diff": B, "name": "../x"}, r"line 2: '../x' is no name"),
        ({"vulnerability": "v", "diff": B, "name": "a"}, "another patch named 'a'"),
        ({"vulnerability": "v", "diff": "Use a safer function.", "name": "b"}, "b: .*is this a unified diff"),
        (
            {"vulnerability": "v", "diff": A.replace("x = 1", "y"), "name": "b"},
            "b: app.py: .* does not fit.*--skip",
        ),
        ({"vulnerability": "v", "diff": TESTS, "name": "b"}, "b: nothing is left"),
        (
            {"vulnerability": "v", "diff": "diff --git a/x b/x\nGIT binary patch\n", "name": "b"},
            "b: nothing is left",
        ),
        ([], "line 2"),
        ("[" * 100_000, "line 2"),
        ("{", "line 2"),
    ],
)
def test_one_bad_line_is_named_and_nothing_is_taken(
    tmp_path: Path, grounds: Grounds, row: object, message: str
) -> None:
    """The lines before it are not half-taken."""
    path = jsonl(tmp_path / "p.jsonl", {"vulnerability": "v", "diff": A, "name": "a"}, row)
    with pytest.raises(DatasetError, match=message):
        take(path, tmp_path / "inbox", grounds)
    assert list(kept(tmp_path / "inbox", "v")) == []


def test_an_unknown_vulnerability_is_named(tmp_path: Path, grounds: Grounds) -> None:
    """Nothing is taken in for what nobody can judge."""
    with pytest.raises(UnknownVulnerability, match="other"):
        take(jsonl(tmp_path / "p.jsonl", {"vulnerability": "other", "diff": A}), tmp_path / "inbox", grounds)


def test_skip_takes_the_others_and_a_dry_run_nothing(tmp_path: Path, grounds: Grounds) -> None:
    """What would happen is said before it does."""
    rows = [
        {"vulnerability": "v", "diff": text, "name": name}
        for name, text in (("a", A), ("b", "prose"), ("c", B))
    ]
    path, inbox = jsonl(tmp_path / "p.jsonl", *rows), tmp_path / "inbox"
    tried = take(path, inbox, grounds, Manner(skip=True, dry_run=True))
    assert not inbox.exists()
    done = take(path, inbox, grounds, Manner(skip=True))
    assert tried == done
    assert done.added == {"v": 2}
    assert done.skipped[0].startswith("b: ")


def test_what_was_taken_in_can_be_taken_out(tmp_path: Path, grounds: Grounds) -> None:
    """By name; a name that is not there takes nothing out."""
    inbox = tmp_path / "inbox"
    for name, text in (("a", A), ("b", B)):
        take(jsonl(tmp_path / "p.jsonl", {"vulnerability": "v", "diff": text, "name": name}), inbox, grounds)
    with pytest.raises(DatasetError, match="nothing taken in is called x; there are: a, b"):
        remove(inbox, "v", ["a", "x"])
    assert remove(inbox, "v", ["a"]) == 1
    assert [candidate.name for candidate in kept(inbox, "v")] == ["b"]
    assert remove(inbox, "v", ["b"]) == 0
    assert list(kept(inbox, "v")) == []
    assert remove(inbox, "v", []) == 0


def test_a_source_without_patches_is_refused(tmp_path: Path, grounds: Grounds) -> None:
    """A wrong path, an empty folder and a folder for nothing in particular are told apart."""
    with pytest.raises(DatasetError, match="no patch in it"):
        take(tmp_path, tmp_path / "inbox", grounds, Manner("v"))
    with pytest.raises(DatasetError, match="name the vulnerability"):
        list(imported(tmp_path))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(imported(tmp_path / "missing.jsonl"))


def test_a_tree_knows_its_files_and_follows_no_link_out(tree: Path) -> None:
    """A path of a patch never reads what lies outside of the release."""
    (tree / "pkg").mkdir()
    (tree / "pkg" / "mod.py").write_text("y = 1\n")
    (tree / "out.py").symlink_to("/etc/hostname")
    source = source_tree(tree)
    assert source.by_name["mod.py"] == ["pkg/mod.py"]
    assert source.read("out.py") is None


def test_the_command_imports_and_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two unnamed patches of one vulnerability, then one of them again as a file, then both out."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vulnerabilities").symlink_to(load_settings().vulnerabilities)
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    text = (
        "--- a/src/installer.py\n"
        "+++ b/src/installer.py\n"
        "@@ -9,3 +9,3 @@\n"
        ' MANIFEST = "plugin.json"\n'
        "-MAX_MEMBERS = 500\n"
        "+MAX_MEMBERS = 300\n"
        " \n"
    )
    (tmp_path / "lower.patch").write_text(text)
    runner = CliRunner()
    arguments = ["corpus", "import", str(tmp_path / "lower.patch"), "--vulnerability", "arena-zip-slip"]
    done = runner.invoke(app, [*arguments, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "nothing was written" in done.output
    assert not load_settings().inbox.exists()
    assert "arena-zip-slip: 1 new" in runner.invoke(app, arguments).output
    assert "lower is the same change as lower" in runner.invoke(app, arguments).output
    assert "1 removed, 0 left" in runner.invoke(app, ["corpus", "remove", "arena-zip-slip", "lower"]).output
