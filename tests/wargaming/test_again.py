"""The public PoV in changed environments: which scripts a patch meets, and that they judge the arena."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol import diff
from crisol.config import load_settings
from crisol.sandbox import Role, Script, choose
from crisol.wargaming.again import again, patient, shows
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.elsewhere import ELSEWHERE_NAME
from crisol.wargaming.referee import open_match
from crisol.wargaming.run_finding import succeeds
from crisol.wargaming.tampering import findings
from crisol.wargaming.vulnerability import Vulnerability, find

ARENA = find(load_settings().vulnerabilities, corpora=["arena"])
POV = Script("pov.py", "import app\nraise SystemExit(0)\n", Role.POV)
TABLE = """
import os
import random
import time

SEEN = []


class Reader:
    modes = {}


def read(name):
    return name
"""
NOTED = {
    "the working folder": ("return os.getcwd()", "os.getcwd"),
    "a variable": ("return os.environ.get(name)", "os.environ"),
    "its own file": ("return __file__", "__file__"),
    "a file of the machine": ("return open('/etc/hostname').read()", "/etc/hostname"),
    "the clock": ("return time.time()", "time.time"),
    "chance": ("return random.random()", "random.random"),
    "a list": ("SEEN.append(name)", "state SEEN"),
    "an item": ("SEEN[0] = name", "state SEEN"),
    "an attribute of a class": ("Reader.count = 1", "state Reader"),
    "an attribute of a function": ("read.count = 1", "state read"),
    "a variable of the function around": ("mine = []\n    return lambda: mine.append(name)", "state mine"),
    "a global": ("global SEEN\n    SEEN = name", "state SEEN"),
}
PLAIN = {
    "a member of a container": "return name in SEEN",
    "a list of its own": "mine = []\n    mine.append(name)\n    return mine",
    "a list of its own with the name of another": "SEEN = []\n    SEEN.append(name)\n    return SEEN",
    "a path": "return os.path.join('a', os.path.basename(name))",
}


def noted(body: str) -> tuple[str, ...]:
    """Return what the gate notes of a patch that gives ``read`` another body."""
    found = findings(TABLE, TABLE.replace("    return name\n", f"    {body}\n"), frozenset({"app"}))
    assert found.refused == ()
    return found.noted


@pytest.mark.parametrize("name", NOTED)
def test_a_verdict_says_what_a_patch_newly_looks_at(name: str) -> None:
    """Whoever reads the verdict learns that the patch may depend on its environment or keep something."""
    body, told = NOTED[name]
    assert told in noted(body)


@pytest.mark.parametrize("name", PLAIN)
def test_code_that_only_computes_is_not_noted(name: str) -> None:
    """A note on every patch would tell nothing."""
    assert noted(PLAIN[name]) == ()


def test_every_patch_meets_other_surroundings_and_a_long_life() -> None:
    """No list decides whether a patch may keep something between calls: whoever read it would evade it."""
    names = [[script.name for script in alternatives] for alternatives in again(POV, [], 1, (), 0.1)]
    assert names == [[ELSEWHERE_NAME], ["pov.py after many calls in one folder", "pov.py after many calls"]]


@pytest.mark.parametrize("source", ["random.random", "builtins.id", "time.time_ns"])
def test_a_patch_that_may_act_at_random_meets_the_pov_more_often(source: str) -> None:
    """Chance may change with the process alone, so a long life of one process does not show it."""
    scripts = again(POV, [], 1, (source,), 0.1)
    assert [script.name for (script,) in scripts[2:]] == 5 * ["pov.py once more"]


@pytest.mark.parametrize("vulnerability", ARENA, ids=lambda vulnerability: vulnerability.id)
def test_release_and_reference_are_told_apart_again(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """A script that does not show the flaw judges no patch; one that shows it of the reference is unfair."""
    with open_match(vulnerability, choose(), tmp_path, vulnerability.corpus_seed) as match:
        fix = reference(vulnerability, tmp_path)
        assert fix is not None
        after = diff.apply(diff.parse(fix.diff), lambda path: read_source(match.tree, path))
        fixed = {path: None if text is None else text.encode() for path, text in after.items()}
        limits = patient(match.target.limits)
        pov, *_ = match.vulnerability.povs
        for alternatives in again(pov, match.vulnerability.checks, match.seed, (), 1.0):
            script = next(script for script in alternatives if shows(match.target, script, limits))
            assert not succeeds(match.target.run(script, fixed, limits)), script.name
