"""What is settled without a wargame, and with which evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol import diff
from crisol.errors import SandboxUnavailable
from crisol.evidence.facts import Fact, Facts, gather
from crisol.evidence.trace import trace
from crisol.records import Outcome, Reason, Source
from crisol.sandbox import Sandbox, choose
from support.flawed import POV, RIGHT, notes, patch

_TIMED = """import signal, sys, app
signal.setitimer(signal.ITIMER_VIRTUAL, 0.2)
def over(*_): raise TimeoutError
signal.signal(signal.SIGVTALRM, over)
try:
    while True:
        app.erase
except TimeoutError:
    sys.exit(0)
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    try:
        return choose()
    except SandboxUnavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Facts:
    folder = tmp_path_factory.mktemp("facts")
    return gather(notes(folder, POV, _TIMED), sandbox, folder / "cache")


def settled(facts: Facts, change: diff.Patch) -> Fact | None:
    return facts.settled(diff.apply(change, facts.tree.read))


def test_the_vulnerable_program_again_is_invalid(facts: Facts) -> None:
    """A comment does not close a flaw."""
    fact = settled(facts, patch("    with open", "    # checked elsewhere\n    with open"))
    assert fact is not None
    assert (fact.outcome, fact.source) == (Outcome.INVALID, Source.EQUIVALENT)
    assert fact.evidence == ("vulnerable",)


def test_a_patch_beside_the_way_leaves_the_exploit_working(facts: Facts) -> None:
    """A function that the PoV never calls, and a branch that it never enters."""
    for old, new in (("    os.remove", "    check(name)\n    os.remove"), ('return ""', 'return "nothing"')):
        fact = settled(facts, patch(old, new))
        assert fact is not None
        assert (fact.outcome, fact.source, fact.reason) == (
            Outcome.INVALID,
            Source.UNTOUCHED,
            Reason.EXPLOIT_SURVIVES,
        )
        assert fact.evidence[0] == "pov/1.py"
        assert "app.py:read" in fact.evidence


def test_one_variant_that_is_left_alone_is_enough(facts: Facts) -> None:
    """Whoever closes the public PoV alone leaves the others open: the patch is invalid for certain."""
    fact = settled(facts, patch("    with open", "    check(name)\n    with open"))
    assert fact is not None
    assert (fact.reason, fact.evidence[0]) == (Reason.VARIANT_SURVIVES, "pov/2.py")


def test_a_judged_program_written_otherwise_has_the_same_verdict(tmp_path: Path, sandbox: Sandbox) -> None:
    """A verdict holds for every patch that makes the same program, and for no other."""
    facts = gather(notes(tmp_path, POV), sandbox, tmp_path / "cache")
    assert settled(facts, patch("    with open", RIGHT)) is None
    facts.learn(patch("    with open", RIGHT), "first", Outcome.VALID, None)
    fact = settled(facts, patch("    with open", f"    # plain names alone\n{RIGHT}"))
    assert fact is not None
    assert (fact.outcome, fact.source, fact.evidence) == (Outcome.VALID, Source.EQUIVALENT, ("first",))
    assert settled(facts, patch("    with open", RIGHT.replace("!=", "=="))) is None
    facts.learn(patch("    with open", "    pass; x = 1\n    with open"), "odd", Outcome.INCONCLUSIVE, None)
    assert settled(facts, patch("    with open", "    x = 1\n    with open")) is None


@pytest.mark.parametrize(
    "pov",
    [
        "import os, sys, app\nif not os.fork(): os._exit(0)\nos.wait()\nsys.exit(0)",
        "import subprocess, sys, app\nsubprocess.run([sys.executable, '-c', 'import app'])\nsys.exit(0)",
        "import sys, app\nsys.settrace(None)\nsys.exit(0)",
        "import sys, app\nsys.exit(1)",
        "import sys, app\nimport os\nos._exit(0)",
        "import sys, app\nimport threading\nthreading.Thread(target=print).join(timeout=1)\nsys.exit(0)",
    ],
)
def test_a_run_that_cannot_be_followed_settles_nothing(tmp_path: Path, sandbox: Sandbox, pov: str) -> None:
    """Other processes, another tracer, a PoV that does not show the flaw, waiting threads.

    The way is lost.
    """
    (way,) = trace(notes(tmp_path, pov), sandbox, tmp_path / "cache")
    assert way.lost


def test_other_programs_are_no_part_of_the_target(tmp_path: Path, sandbox: Sandbox) -> None:
    """A command that is no Python is known by what it answers."""
    pov = "import sys, app\nsys.exit(0 if app.shout('x') == b'x\\n' else 1)"
    (way,) = trace(notes(tmp_path, pov), sandbox, tmp_path / "cache")
    assert not way.lost
    assert "app.py:shout" in way.functions


def test_a_way_is_traced_once_for_the_content_of_anotes(tmp_path: Path, sandbox: Sandbox) -> None:
    """The second call reads what the first one kept; another PoV is another way."""
    first = trace(notes(tmp_path, POV), sandbox, tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "ways").iterdir()
    before = kept.stat().st_mtime_ns
    assert trace(notes(tmp_path, POV), sandbox, tmp_path / "cache") == first
    assert kept.stat().st_mtime_ns == before
    trace(notes(tmp_path, POV + "\n"), sandbox, tmp_path / "cache")
    assert len(list((tmp_path / "cache" / "ways").iterdir())) == 2
    kept.write_text("[{}]")
    assert trace(notes(tmp_path, POV), sandbox, tmp_path / "cache") == first
