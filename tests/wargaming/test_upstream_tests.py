"""Upstream's tests refute labels: which tests are kept, and what a refutation says."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from crisol import cli
from crisol.errors import SandboxError, VulnerabilityError
from crisol.sandbox import choose
from crisol.wargaming.corpus import COLUMNS, save_table
from crisol.wargaming.upstream_tests import Refutation, Suite, audit, open_suite
from crisol.wargaming.vulnerability import Vulnerability, load
from support.index import digest, own_index, sdist

OLD = b"""def read(shelf, name):
    return shelf[name]


def size(shelf):
    return 0
"""
NEW = b"""def read(shelf, name):
    if name.startswith("_"):
        raise ValueError("private")
    return shelf[name]


def size(shelf):
    return len(shelf)


def names(shelf):
    return sorted(shelf)
"""
TESTS = b"""import os
import pytest
import shelf


def test_reads():
    assert shelf.read({"a": 1}, "a") == 1


def test_refuses():
    with pytest.raises(ValueError):
        shelf.read({"_a": 1}, "_a")


@pytest.mark.parametrize("path", [os.path.abspath("one.txt"), os.path.abspath("two.txt")])
def test_path(path):
    assert os.path.dirname(path) == os.getcwd() and path.endswith("one.txt")


@pytest.mark.parametrize("text", ["private", "nothing else"])
def test_says_why(text):
    with pytest.raises(ValueError, match=text):
        shelf.read({"_a": 1}, "_a")


def test_size():
    assert shelf.size({"a": 1}) == 1


def test_names():
    assert shelf.names is not None if hasattr(shelf, "names") else True


class TestNames:
    def listed(self):
        return shelf.names({"a": 1})

    def test_by_a_helper(self):
        assert self.listed() == ["a"]


def test_is_alone():
    assert not os.path.exists("/etc/shadow") and "HOME" in os.environ
"""
LATE = b"import shelf\nfrom shelf import names\n\n\ndef test_late():\n    assert shelf.read({'a': 1}, 'a')\n"
POV = """import sys, shelf
try:
    shelf.read({"_a": 1}, "_a")
except ValueError:
    sys.exit(1)
"""
BLOCK = """
[upstream_tests]
archive = "{archive}"
sha256 = "{sha256}"
paths = ["tests"]
requires = ["tools==1.0"]

[upstream_tests.limits]
seconds = 120.0
cpu_seconds = 3.0

[upstream_tests.excluded]
"tests/test_slow.py" = "it never ends"
"tests/test_shelf.py::test_path[{{suite}}/two" = "it is about another file"
"tests/test_shelf.py::test_says_why[private]" = "asks for upstream's message"
"""
RIGHT = """--- a/shelf.py
+++ b/shelf.py
@@ -1,2 +1,4 @@
 def read(shelf, name):
+    if name[:1] == "_":
+        raise ValueError("no")
     return shelf[name]
"""
WRONG = RIGHT.replace("ValueError", "KeyError")
BROKEN = RIGHT.replace("+1,4", "+1,5").replace(" def read", "+import nothing\n def read")
ENDING = RIGHT.replace("+1,4", "+1,6").replace(" def read", "+import os\n+os._exit(0)\n def read")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vulnerability of a package of ours, in an index of ours, with the pytest of this session."""
    index = own_index(tmp_path, monkeypatch)
    old = sdist(index / "shelf-1.0.tar.gz", {"shelf-1.0/shelf.py": OLD})
    new = sdist(
        index / "shelf-1.1.tar.gz",
        {
            "shelf-1.1/shelf.py": NEW,
            "shelf-1.1/setup.cfg": b"[tool:pytest]\naddopts = --no-such-option\n",
            "shelf-1.1/tests/test_shelf.py": TESTS,
            "shelf-1.1/tests/test_late.py": LATE,
            "shelf-1.1/tests/test_slow.py": b"while True:\n    pass\n",
        },
    )
    tools = sdist(index / "tools-1.0.tar.gz", dict(_tools()))
    made = tmp_path / "vulnerabilities" / "own" / "shelf-1"
    for name, text in {
        "pov/1.py": POV,
        "checks/1.py": "import shelf\nassert shelf.read({'a': 1}, 'a') == 1\n",
        "../requirements.toml": f'["tools==1.0"]\narchives."{tools.name}" = "{digest(tools)}"\n',
        "vulnerability.toml": f"""id = "shelf-1"
title = "Private things"
cwe = "CWE-200"

[source]
package = "shelf"
vulnerable = "1.0"
fixed = "1.1"
archive_vulnerable = "{old.name}"
archive_fixed = "{new.name}"
sha256_vulnerable = "{digest(old)}"
sha256_fixed = "{digest(new)}"

[[upstream]]
file = "shelf.py"
old_start = 1
old_lines = 4
new_start = 1
new_lines = 6
""",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def _tools() -> list[tuple[str, bytes]]:
    """Return the installed files of pytest and of what it needs; of 250 lexers, the two that it imports."""
    files = []
    for name in ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        whole = origin.name == "__init__.py"
        root = origin.parent.parent if whole else origin.parent
        files += [
            (f"tools-1.0/{path.relative_to(root)}", path.read_bytes())
            for path in (origin.parent.rglob("*.py") if whole else [origin])
            if path.parent.name != "lexers" or path.stem in {"__init__", "_mapping", "diff", "python"}
        ]
    return files


def with_tests(folder: Path, block: str = BLOCK) -> Vulnerability:
    """Append the table to the description and load it."""
    index = folder.parents[2] / "index"
    archive = index / "shelf-1.1.tar.gz"
    path = folder / "vulnerability.toml"
    path.write_text(path.read_text() + block.format(archive=archive.name, sha256=digest(archive)))
    return load(folder)


def refuted(suite: Suite, patch: str) -> list[tuple[str, str]]:
    return [(each.test.partition("::")[2], each.message) for each in suite.refutations("p", patch)]


def test_the_suite_of_a_release(folder: Path, tmp_path: Path) -> None:
    """A test is kept if releases and fix pass it; it refutes patches, and its own files stay upstream's."""
    with open_suite(with_tests(folder), choose(), tmp_path / "cache") as suite:
        assert [test.partition("::")[2] for test in suite.kept] == [
            "test_is_alone",
            "test_path[{suite}/one.txt]",
            "test_reads",
            "test_refuses",
        ]
        assert suite.regression == ("tests/test_shelf.py::test_refuses",)
        reasons = {test.rpartition("::")[2]: why for test, why in suite.left_out.items()}
        assert sorted(reasons) == ["test_by_a_helper", "test_late", "test_names", "test_size"]
        assert "cannot load it: ImportError" in reasons["test_late"]
        assert reasons["test_names"] == "the vulnerable release has no names"
        assert reasons["test_by_a_helper"] == "the vulnerable release has no names"
        assert reasons["test_size"].startswith("the fix alone does not pass it: ")

        assert refuted(suite, RIGHT) == []
        assert refuted(suite, WRONG) == [("test_refuses", "KeyError: 'no'")]
        assert {message for _, message in refuted(suite, BROKEN)} == {
            "ModuleNotFoundError: No module named 'nothing'"
        }
        own = "\n--- /dev/null\n+++ b/tests/test_shelf.py\n@@ -0,0 +1 @@\n+raise ValueError\n"
        assert refuted(suite, RIGHT + own) == []
        assert {message for _, message in refuted(suite, ENDING)} == {
            "the run of the tests ended as not_attested: "
        }


def test_a_suite_that_does_not_end_is_no_refutation(folder: Path, tmp_path: Path) -> None:
    """What fails on the releases themselves is no patch's fault; the message says what to do."""
    vulnerability = with_tests(folder, BLOCK.replace('"tests/test_slow.py"', '"tests/none.py"'))
    with (
        pytest.raises(SandboxError, match=r"ended as timeout.*exclude the test"),
        open_suite(vulnerability, choose(), tmp_path / "cache"),
    ):
        pass


def test_an_audit_counts_candidates(folder: Path, tmp_path: Path) -> None:
    """Each refuted candidate is named with its test."""
    told = audit(with_tests(folder), [("right", RIGHT), ("wrong", WRONG)], choose(), tmp_path / "cache")
    assert (told.vulnerability, told.kept, told.candidates) == ("shelf-1", 4, 2)
    assert told.refutations == (Refutation("wrong", "tests/test_shelf.py::test_refuses", "KeyError: 'no'"),)


def test_the_command_names_what_is_refuted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Valid candidates of the table alone are audited; the exit code is 1 where one is refuted."""
    with_tests(folder)
    rows = [
        dict.fromkeys(COLUMNS, "")
        | {"vulnerability": "shelf-1", "name": name, "diff": patch, "outcome": outcome}
        for name, patch, outcome in (
            ("right", RIGHT, "valid"),
            ("wrong", WRONG, "valid"),
            ("other", WRONG, "invalid"),
        )
    ]
    save_table(pd.DataFrame(rows), tmp_path / "table.parquet")
    monkeypatch.setenv("CRISOL_ROOT", str(tmp_path))
    monkeypatch.setenv("CRISOL_VULNERABILITIES", str(folder.parents[1]))
    monkeypatch.setattr(
        "sys.argv", ["crisol", "corpus", "audit", "--json", "--table", str(tmp_path / "table.parquet")]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert told["candidates"] == 2
    assert [each["candidate"] for each in told["refutations"]] == ["wrong"]


def test_tests_decide_no_verdict(folder: Path) -> None:
    """The content hash, and so seeds, labels and what is remembered, stays the same with them."""
    before = load(folder).content_hash
    assert with_tests(folder).content_hash == before


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (BLOCK + "\n[limits]\nseconds = 5.0\n", "must be the last"),
        (BLOCK.replace("[upstream_tests]", "[ upstream_tests ]"), "must be the last"),
        (BLOCK.replace('["tests"]', '["../tests"]'), "leads out of the archive"),
        (BLOCK.replace('["tools==1.0"]', "[]"), "upstream_tests.requires"),
    ],
)
def test_a_wrong_table_is_refused(block: str, words: str, folder: Path) -> None:
    """A verdict's hash must not miss what stands behind the tests."""
    with pytest.raises(VulnerabilityError, match=words):
        with_tests(folder, block)
