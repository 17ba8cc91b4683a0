"""Every reason is reached by a patch that deserves it; only a right patch is valid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from crisol import diff
from crisol.config import load_settings
from crisol.errors import DatasetError, SandboxUnavailable
from crisol.records import Outcome, Reason, Strength
from crisol.sandbox import Run, Script, Target, choose
from crisol.wargaming.corpus import Plan, build, content_hash, load_table, reexecute
from crisol.wargaming.program import ProgramTree
from crisol.wargaming.referee import Match, open_match
from crisol.wargaming.vulnerability import Vulnerability, load
from support.notes import APP, RIGHT, make, patch


@pytest.fixture(scope="module")
def vulnerability(tmp_path_factory: pytest.TempPathFactory) -> Vulnerability:
    return load(make(tmp_path_factory.mktemp("own") / "notes-traversal"))


@pytest.fixture(scope="module")
def match(vulnerability: Vulnerability, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Match]:
    with open_match(vulnerability, choose(), tmp_path_factory.mktemp("cache")) as opened:
        yield opened


@pytest.fixture(scope="module", params=["bubblewrap", "namespaces"])
def walled(
    vulnerability: Vulnerability, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Match]:
    """Every attack on the verdict is tried in each kind of isolation that the machine has."""
    try:
        sandbox = choose(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    with open_match(vulnerability, sandbox, tmp_path_factory.mktemp("cache")) as opened:
        yield opened


def test_a_right_patch_is_valid(match: Match) -> None:
    """Every phase ran and passed; the sandbox is named."""
    verdict = match.judge(patch(RIGHT))
    assert verdict.outcome is Outcome.VALID, verdict
    assert [phase.name for phase in verdict.phases] == [
        *("baseline", "apply", "static", "names", "pov", "variants", "checks"),
        *("again", "generated_povs", "differential"),
    ]
    assert verdict.sandbox in {"bubblewrap", "namespaces"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (patch(RIGHT.replace("def read(root", "def read(root,")), Reason.DOES_NOT_LOAD),
        (patch(RIGHT.replace("import os", "import os\nimport nowhere_to_be_found")), Reason.DOES_NOT_LOAD),
        (patch(RIGHT.replace("import os", "import os\nos._exit(1)")), Reason.TAMPERS),
        (patch(RIGHT.replace("import os", "import os\ngetattr(os, '_ex' + 'it')(1)")), Reason.TAMPERS),
        (patch("# coding: utf-7\n" + APP.replace("import os", "# +AAo-import os+ADs-os._exit(1)\nimport os")),
         Reason.TAMPERS),
        (patch(APP.replace('"""Serve', '"""Safely serve')), Reason.EXPLOIT_SURVIVES),
        (patch(APP.replace("    with", '    if ".." in name:\n        raise ValueError\n    with')),
         Reason.VARIANT_SURVIVES),
        (patch(RIGHT.replace("basename(name) != name", "basename(name) != name.lower() + name")),
         Reason.BREAKS_FUNCTION),
        (patch(APP.replace("    with",
            '    if ".." in name or name[0] == "/":\n'
            '        raise ValueError\n'
            '    with')), Reason.BREAKS_FUNCTION),
        (patch(APP.replace("    with", "    while True:\n        pass\n    with")), Reason.TIMEOUT),
        (patch(RIGHT.replace('ValueError("', 'ValueErrro("')), Reason.BREAKS_FUNCTION),
    ],
)  # fmt: skip
def test_a_wrong_patch_is_invalid_with_its_reason(match: Match, text: str, reason: Reason) -> None:
    """Each reason of the glossary, by a patch that earns it."""
    verdict = match.judge(text)
    assert verdict.reason_at(Strength.BASIC) is reason, verdict
    assert verdict.outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no diff", Reason.MALFORMED),
        (patch(RIGHT).replace(" def read(root", " def read(tree"), Reason.DOES_NOT_APPLY),
        (patch(RIGHT).replace("app.py", "other.py"), Reason.DOES_NOT_APPLY),
        (patch(RIGHT).replace("app.py", "tests/test_app.py"), Reason.DOES_NOT_APPLY),
    ],
)
def test_form_is_nobodys_label(match: Match, text: str, reason: Reason) -> None:
    """What cannot be read or laid over the source was not judged: it is neither valid nor invalid."""
    verdict = match.judge(text)
    assert (verdict.outcome, verdict.reason) == (Outcome.INCONCLUSIVE, reason), verdict


def test_what_is_left_out_is_named(match: Match) -> None:
    """A repository's patch is cut to the release, and the verdict says by what."""
    text = patch(RIGHT).replace("app.py", "src/app.py") + diff.between(
        {}, {"tests/test_app.py": "import app\n"}
    )
    verdict = match.judge(text)
    assert verdict.outcome is Outcome.VALID
    assert verdict.phases[1].detail == "src/ read as ./; left out: tests/test_app.py (a test)"


def test_strict_labels_refuse_an_undefined_name(match: Match) -> None:
    """A name that is defined nowhere on a rare path passes PoVs and checks and fails the strict label."""
    verdict = match.judge(
        patch(RIGHT.replace("    with", "    if name is None:\n        raise Missing\n    with"))
    )
    assert verdict.outcome_at(Strength.BASIC) is Outcome.VALID
    assert verdict.reason is Reason.UNDEFINED_NAME


def test_a_pov_that_raised_is_a_phase_although_a_failed_check_settles_the_outcome(match: Match) -> None:
    """The phase stands before the check, as they ran, with its detail and without a reason."""
    raises = RIGHT.replace("ValueError", "Exception").replace("!= name", "!= name.lower() + name")
    verdict = match.judge(patch(raises))
    assert verdict.reason is Reason.BREAKS_FUNCTION
    assert [phase.name for phase in verdict.phases][4:] == ["pov", "checks"]
    assert verdict.phases[4].reason is None
    assert "Exception" in verdict.phases[4].detail


def test_what_no_label_needs_does_not_run(match: Match) -> None:
    """After a failure of the strict label the basic phases still run, the other strict ones do not."""
    verdict = match.judge(
        patch(RIGHT.replace("    with", "    if name is None:\n        raise Missing\n    with"))
    )
    assert [phase.name for phase in verdict.phases][4:] == ["pov", "variants", "checks", "again"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('path = "__ROOT__"\n', "path = __ROOT__\n", None),
        ('path = "__ROOT__"\n', 'path = "__ROOT__" or __ROOT__\n', Reason.UNDEFINED_NAME),
        ('path = getattr(v, "name")\n', "path = name\n", Reason.UNDEFINED_NAME),
        ("path = gone\n", "path = gone or None\n", None),
        ("path = {{ root }}/a b\n", "path = {{ quoted }}/a b\n", None),
        ("path = {{ root }}/a b\n", "import os\nos._exit(1)\n", Reason.TAMPERS),
        ("path = 1\n", "path = {{ root }}/a b\n", Reason.DOES_NOT_LOAD),
    ],
)
def test_only_what_the_patch_newly_breaks_counts_against_it(
    tmp_path: Path, before: str, after: str, reason: Reason | None
) -> None:
    """A template's mark taken out of its quotes is no misspelt name, and a template need not be a program."""
    folder = make(tmp_path / "with-template")
    (folder / "target" / "start.py").write_text(before)
    both = diff.between({"app.py": APP, "start.py": before}, {"app.py": RIGHT, "start.py": after})
    with open_match(load(folder), choose(), tmp_path) as opened:
        assert opened.judge(both).reason is reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sitecustomize.py", "import os\nos._exit(1)\n"),
        ("conftest.py", "import os\nos._exit(1)\n"),
        ("pov/1_parent.py", "import sys\nsys.exit(1)\n"),
        ("checks/1_dots.py", ""),
        ("sys.py", "def exit(code=0):\n    raise SystemExit(1)\n"),
    ],
)
def test_planted_files_do_not_close_the_flaw(walled: Match, name: str, text: str) -> None:
    """A patch that brings its own PoV, check or start-up file is not valid."""
    verdict = walled.judge(diff.between({}, {name: text or "# nothing\n"}))
    # A file of tests alone is left out, and then nothing is left to judge.
    expected = Outcome.INCONCLUSIVE if name == "conftest.py" else Outcome.INVALID
    assert verdict.outcome is expected, verdict


@pytest.mark.parametrize(
    "added",
    [
        "import sys\nsys.modules['__main__'].__dict__['app'] = None\n",
        "import sys as s\ngetattr(s, 'mod' + 'ules')['app'] = None\n",
        "import sys as s\nsetattr(s, 'exit', lambda code=0: s.stdout.write('1'))\n",
        "import builtins\nbuiltins.SystemExit = KeyboardInterrupt\n",
        (
            "for fd in range(3, 64):\n"
            "    try:\n"
            "        os.write(fd, b'E\\1' + bytes(8))\n"
            "    except OSError:\n"
            "        pass\n"
        ),
        "for fd in range(3, 64):\n    try:\n        os.close(fd)\n    except OSError:\n        pass\n",
        (
            "for place in ('/pov', '/checks', '/target', '.'):\n"
            "    try:\n"
            "        open(place + '/1_parent.py', 'w').write('import sys; sys.exit(1)')\n"
            "    except OSError:\n"
            "        pass\n"
        ),
        "print('exited 1')\n",
        "import sys as s\ngetattr(s, 'ex' + 'it')(1)\n",
        "class Quiet(ValueError):\n    pass\n\n\nraise Quiet\n",
        (
            "import threading\n"
            "threading.Thread(target=getattr(os, '_ex' + 'it'), args=(1,), daemon=True).start()\n"
        ),
    ],
)
def test_tampering_does_not_make_a_patch_valid(walled: Match, added: str) -> None:
    """Whatever a patch does to modules, exits, descriptors or scripts, a flaw that it leaves open is seen."""
    verdict = walled.judge(patch(APP.replace("import os\n", f"import os\n\n{added}")))
    assert verdict.outcome is Outcome.INVALID, verdict


def test_without_isolation_every_verdict_says_so(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """What was judged in the weak sandbox is marked for ever."""
    with open_match(vulnerability, choose("weak"), tmp_path) as weak:
        verdict = weak.judge(patch(RIGHT))
    assert (verdict.outcome, verdict.sandbox) == (Outcome.VALID, "weak")


def test_what_the_release_itself_changes_is_learnt_in_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No script runs over the release a second time for one patch, and none accuses it."""
    folder = make(tmp_path / "changing")
    for pov in (folder / "pov").iterdir():
        pov.write_text(f"import string\nstring.capwords = repr\n{pov.read_text()}")
    ran: list[str] = []
    run = Target.run

    def counted(target: Target, script: Script, *a: Any, **k: Any) -> Run:
        # The runs in other surroundings and after many calls have names of their own.
        if script.name in {"pov/1_parent.py", "pov/2_absolute.py"} and not (a and a[0]):
            ran.append(script.name)
        return run(target, script, *a, **k)

    monkeypatch.setattr(Target, "run", counted)
    with open_match(load(folder), choose(), tmp_path) as match:
        assert match.judge(patch(RIGHT)).outcome is Outcome.VALID
    assert ran[:2] == ["pov/1_parent.py", "pov/2_absolute.py"]
    assert len(ran) == 2


def test_a_failing_baseline_is_inconclusive(tmp_path: Path) -> None:
    """Where the PoV does not show the flaw on the vulnerable code, nothing is said of any patch."""
    folder = make(tmp_path / "broken-baseline")
    (folder / "target" / "app.py").write_text(RIGHT)
    with open_match(load(folder), choose(), tmp_path) as match:
        verdict = match.judge(patch(RIGHT))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason is Reason.BASELINE_FAILED


def test_a_build_is_resumable_and_repeatable(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """One job or two, interrupted or not: the same table; the second build executes nothing."""
    plan = Plan(tmp_path / "a", tmp_path / "inbox", mutants=6, seed=3)
    (first,) = build([vulnerability], plan, jobs=1)
    (again,) = build([vulnerability], plan, jobs=2)
    (other,) = build([vulnerability], Plan(tmp_path / "b", tmp_path / "inbox", mutants=6, seed=3), jobs=1)
    assert again.seconds == 0.0 < first.seconds
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert content_hash(first.rows) == content_hash(other.rows)
    assert set(first.rows["outcome"]) == {"valid", "invalid"}
    assert first.rows["id"].is_unique
    checks = list(reexecute(first.rows, [vulnerability], plan, jobs=1))
    assert len(checks) == len(first.rows)
    assert all(check.before == check.after for check in checks)


def test_a_table_holds_of_a_patch_what_is_judged(tmp_path: Path) -> None:
    """Tests that an agent wrote beside its fix are left out.

    Features, identity and the wargame see the same patch.
    """
    folder = load_settings().vulnerabilities / "arena" / "arena-login-redirect"
    written = (folder / "patches" / "agent" / "maintainer.diff").read_text(encoding="utf-8")
    assert "+++ b/tests/" in written
    (shard,) = build([load(folder)], Plan(tmp_path, tmp_path / "inbox", mutants=0), jobs=1)
    row = shard.rows.set_index("name").loc["agent-maintainer"]
    assert "tests/" not in row["diff"]
    assert row["origin"] == "agent"
    assert row["id"] == diff.parse(row["diff"]).identity


def test_a_table_holds_every_program_once(tmp_path: Path) -> None:
    """A patch with another candidate's syntax trees, but for comments, docstrings and pass, gets no row."""
    folder = make(tmp_path / "repeats")
    said = RIGHT.replace("    with", "    # by name alone\n    pass\n    with")
    (folder / "patches" / "said.diff").write_text(patch(said))
    (shard,) = build([load(folder)], Plan(tmp_path, tmp_path / "inbox"), jobs=1)
    tree = ProgramTree({"app.py": APP})
    programs = [tree.identity(diff.apply(diff.parse(text), tree.read)) for text in shard.rows["diff"]]
    assert len(set(programs)) == len(programs)
    assert "basename" in set(shard.rows["name"])
    assert "said" not in set(shard.rows["name"])


def test_a_foreign_table_is_refused(tmp_path: Path) -> None:
    """A file that is no corpus table names what is missing."""
    pd.DataFrame({"id": ["x"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match="vulnerability"):
        load_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_text("not parquet")
    with pytest.raises(DatasetError):
        load_table(tmp_path / "t.parquet")


def crisol(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from crisol.cli import main; main()", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (patch(RIGHT), 0, "valid"),
        (patch(APP.replace("    with", "    name = name\n    with")), 1, "exploit_survives"),
        ("junk", 2, "malformed"),
    ],
)
def test_the_command_prints_phases_and_exits_by_outcome(
    vulnerability: Vulnerability, text: str, code: int, word: str
) -> None:
    """0 valid, 1 invalid, 2 not judged; the verdict is on the last line."""
    done = crisol("wargame", str(vulnerability.folder), "-", stdin=text)
    assert done.returncode == code, done.stderr
    assert word in done.stdout.splitlines()[-1]


def test_the_command_speaks_json(vulnerability: Vulnerability) -> None:
    """Machines get one document with every phase."""
    done = crisol("wargame", str(vulnerability.folder), "-", "--json", stdin=patch(RIGHT))
    document = json.loads(done.stdout)
    assert document["outcome"] == "valid"
    assert document["phases"][0]["name"] == "baseline"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("wargame", "no-such-id", "-"), "UnknownVulnerability"),
        (("wargame", ".", "-"), "vulnerability.toml"),
        (("wargame", "x"), "Missing argument"),
        (("wargame", "arena-zip-slip", "no-such-file.diff"), "no-such-file.diff"),
        (("wargame", "arena-zip-slip", "-", "--sandbox", "docker"), "docker"),
        (("nonsense",), "No such command"),
    ],
)
def test_wrong_use_is_told_without_a_traceback(arguments: tuple[str, ...], word: str) -> None:
    """Exit code 64 or above and one clear message."""
    done = crisol(*arguments)
    assert done.returncode >= 64
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_names_what_is_there() -> None:
    """Sandbox, stores, index and cores each have a line."""
    done = crisol("doctor")
    assert done.returncode == 0
    for word in ("sandbox", "Redis", "PostgreSQL", "package index", "cores"):
        assert word in done.stdout
