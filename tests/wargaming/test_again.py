"""Which patches meet a long life and repeats beside other surroundings, and that these judge the arena."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol import diff
from crisol.config import load_settings
from crisol.sandbox import Role, Script, choose
from crisol.wargaming.again import again, patient, shows
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.referee import open_match
from crisol.wargaming.run_finding import succeeds
from crisol.wargaming.tampering import findings
from crisol.wargaming.vulnerability import Vulnerability, find

ARENA = find(load_settings().vulnerabilities, corpora=["arena"])
POV = Script("pov.py", "import app\nraise SystemExit(0)\n", Role.POV)
TABLE = """
import functools
import os
import re
import threading

ALLOWED = {"http", "https"}
PATTERN = re.compile("a+")
LOCK = threading.Lock()
STEPS = iter(range(9))
SEEN = []


class Reader:
    modes = {}


def read(name):
    return name
"""
COMPUTES = {
    "a member of a set": "return name in ALLOWED",
    "a pattern": "return PATTERN.sub('', name)",
    "a lock": "with LOCK:\n        return name",
    "parts of a container": "return ','.join(sorted(ALLOWED)), len(ALLOWED), [x for x in ALLOWED]",
    "a path": "return os.path.join('a', os.path.basename(name))",
    "a list of its own": "found = []\n    found.append(name)\n    return found",
    "built-in functions": "return max(int(name), 1), isinstance(name, str), sorted(name)",
    "a library that computes": "import hashlib\n    return hashlib.sha256(name).hexdigest()",
    "a partial function": "return functools.partial(int, base=2)(name)",
}
READS = {
    "the working folder": "return os.path.abspath(name)",
    "a file": "return os.path.exists(name)",
    "a file, by a method": "return name.resolve()",
    "a number of a file": "return os.stat(name).st_ino",
    "a clock": "import time\n    return time.time()",
    "a clock of a module of the program": "from app import tools\n    return tools.time.time()",
    "a date as text": "import time\n    return time.strftime('%Y')",
    "variables": "return os.path.expandvars(name)",
}
KEEPS = {
    "a list": "SEEN.append(name)",
    "a list, by a function": "import heapq\n    heapq.heappush(SEEN, name)",
    "a list by another name": "mine = SEEN\n    mine.append(name)",
    "an item": "SEEN[0] = name",
    "an iterator": "return next(STEPS)",
    "an iterator, by a loop": "return any(True for _ in zip(STEPS, name))",
    "an attribute of a function": "read.count = getattr(read, 'count', 0) + 1",
    "an attribute of a class": "type(name).count = 1",
    "a container of a class": "Reader.modes[name] = 1",
    "a container of a class, by an object": "name.modes.update(a=1)",
    "the dictionary of a function": "read.__dict__.update(a=1)",
    "a variable of the function around": "seen = []\n    return lambda: seen.append(1)",
    "a container of the library": "import keyword\n    keyword.kwlist.append(name)",
    "a cache of the library": "return len(re._cache)",
    "chance": "import random\n    return random.random()",
    "what the list of computing modules does not name": "import sqlite3\n    sqlite3.connect(name)",
    "a default": "return lambda x, seen=[]: seen",
    "a number that grows": "name.count = name.count + 1",
}


def scripts(body: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of the scripts that a patch meets again, and what the gate notes of it."""
    after = TABLE.replace("    return name\n", f"    {body}\n")
    found = findings(TABLE, after, frozenset({"app"}))
    assert found.refused == ()
    return [script.name for script in again(POV, [], 1, found.noted, 0.1)], found.noted


@pytest.mark.parametrize("name", COMPUTES)
def test_code_that_computes_is_not_noted(name: str) -> None:
    """An honest patch that keeps nothing between calls is spared the long life of the process."""
    assert scripts(COMPUTES[name])[1] == ()


@pytest.mark.parametrize("name", READS)
def test_code_that_reads_its_surroundings_meets_others(name: str) -> None:
    """Reading keeps nothing between calls, so a long life of the process is not tried."""
    met, noted = scripts(READS[name])
    assert noted
    assert len(met) == 1
    assert "elsewhere" in met[0]


@pytest.mark.parametrize("name", KEEPS)
def test_code_that_keeps_something_meets_a_long_life(name: str) -> None:
    """State between calls is looked for wherever something outlives a call."""
    met, noted = scripts(KEEPS[name])
    assert noted
    assert "pov.py after a thousand calls" in met


def test_code_that_writes_files_meets_a_long_life_in_one_folder() -> None:
    """A counter in a file of the working folder lasts only where the folder does."""
    met, _ = scripts("open('.count', 'a').write('x')")
    assert "pov.py after a thousand calls in one folder" in met


@pytest.mark.parametrize("vulnerability", ARENA, ids=lambda vulnerability: vulnerability.id)
def test_release_and_reference_are_told_apart_again(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """A script that does not show the flaw judges no patch; one that shows it of the reference is unfair."""
    with open_match(vulnerability, choose(), tmp_path, vulnerability.corpus_seed) as match:
        fix = reference(vulnerability, tmp_path)
        assert fix is not None
        after = diff.apply(diff.parse(fix.diff), lambda path: read_source(match.tree, path))
        fixed = {path: None if text is None else text.encode() for path, text in after.items()}
        limits = patient(match.target.limits)
        for script in again(
            match.vulnerability.povs[0], match.vulnerability.checks, match.seed, ["os.x"], 1.0
        )[:3]:
            told = match.target.run(script, fixed, limits)
            assert not succeeds(told), script.name
            # A script that keeps files is not for every PoV.
            assert shows(match.target, script, limits) or script.name.endswith("in one folder")
