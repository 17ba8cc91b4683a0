"""A patch may leave a look into code where it stood, and may neither add, copy, move nor rewire one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crisol.sandbox import Ending, Limits, Role, Script, Target, choose
from crisol.sandbox.reuse import untouched

BEFORE = '''"""Marks functions by their code."""

known = set()


def mark(function):
    known.add(function.__code__)
    return function


@mark
def limit(size):
    return size


class Reader:
    @staticmethod
    def name(function):
        return function.__code__.co_name
'''
SCRIPT = """import sys, app
def own():
    pass
app.mark(own)
sys.exit(app.limit(3) if app.Reader.name(own) == "own" else 9)
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    tree = tmp_path_factory.mktemp("tree")
    (tree / "app.py").write_text(BEFORE)
    with choose().target(tree, limits=Limits(seconds=5.0, cpu_seconds=2.0)) as opened:
        yield opened


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("return size", "return min(size, 3)"),
        BEFORE.replace("known = set()", "import os\n\nknown = set()"),
        BEFORE.replace("    known.add", "    # Remembered for tracebacks.\n    known.add"),
        BEFORE + "\n\ndef more():\n    return 1\n",
    ],
)
def test_what_the_patch_left_alone_may_look(target: Target, after: str) -> None:
    """Another function, a statement before it or a comment in it leaves the release's own look."""
    run = target.run(Script("s.py", SCRIPT, Role.POV), {"app.py": after.encode()})
    assert (run.ending, run.code) == (Ending.EXITED, 3), run


def test_a_script_may_end_itself_from_a_handler(target: Target) -> None:
    """Its deadline strikes while a patched function runs.

    The stage's own clearing of traces is not the patch's.
    """
    script = (
        "import signal, sys, app\n"
        "signal.signal(signal.SIGVTALRM, lambda *_: sys.exit(0))\n"
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.05)\n"
        "app.limit(3)\n"
        "sys.exit(1)\n"
    )
    slow = BEFORE.replace("return size", "while True:\n        size += 1").encode()
    run = target.run(Script("s.py", script, Role.POV), {"app.py": slow})
    assert (run.ending, run.code) == (Ending.EXITED, 0), run


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("return size", "return len(limit.__code__.co_name) - 2"),
        BEFORE.replace("    known.add", "    global last\n    last = function\n    known.add"),
        BEFORE.replace("known.add(function.__code__)", "known.add(function.__code__); size = 1"),
        BEFORE.replace("return size", "mark(limit)\n    return size"),
        BEFORE.replace("return size", "return len(Reader.name(limit)) - 2"),
        BEFORE.replace("return size", "return len([*map(mark, [limit])]) + 2"),
        BEFORE.replace("known = set()", "known = set(); first = (lambda: 0).__code__"),
        BEFORE.replace(
            "return function\n\n\n@",
            "return function\n"
            "\n"
            "\n"
            "mark.twin = mark\n"
            "\n"
            "\n"
            "def mark(function):\n"
            "    known.add(function.__code__)\n"
            "    return function\n"
            "\n"
            "\n"
            "@",
        ),
        BEFORE.replace("class Reader:", "class Reader(type(mark.__code__) and object):"),
        BEFORE.replace("class Reader:", "class Other:").replace(
            ".co_name\n", ".co_name\n\n\nReader = Other\n"
        ),
        BEFORE + "\n\n(lambda: mark(mark))()\n",
    ],
)
def test_what_the_patch_wrote_may_not(target: Target, after: str) -> None:
    """A new look, a second one, an edited line, another class, or a new call of the old look ends the run."""
    run = target.run(Script("s.py", SCRIPT, Role.POV), {"app.py": after.encode()})
    assert run.ending is Ending.NOT_ATTESTED, run
    assert "reached into the interpreter" in run.stderr


def test_every_look_is_new_to_a_file_that_had_none() -> None:
    """Then no line is the release's own in this sense, whatever was left alone; nor in a new file."""
    after = b"def f(g):\n    return 1\n\n\ndef h(g):\n    return g.__code__\n"
    assert untouched(b"def f(g):\n    return 1\n", after) == []
    assert untouched(None, after) == []
    assert untouched(after, after) == [(1, 2), (5, 6)]


def test_a_name_that_the_pov_gives_is_a_look_of_the_release(tmp_path: Path) -> None:
    """A template engine reads any attribute that a template names.

    A patch next to that function is no tampering.
    """
    engine = "def read(thing, name):\n    return getattr(thing, name)\n\n\ndef other():\n    return 1\n"
    (tmp_path / "engine.py").write_text(engine)
    script = Script("s.py", "import engine\nassert engine.read(engine.other, '__code__')\n", Role.CHECK)
    with choose().target(tmp_path) as engines:
        run = engines.run(script, {"engine.py": engine.replace("return 1", "return 2").encode()})
        assert (run.ending, run.code) == (Ending.EXITED, 0), run
        run = engines.run(
            script, {"engine.py": engine.replace("getattr(thing", "getattr(other and thing").encode()}
        )
        assert run.ending is Ending.NOT_ATTESTED, run


def test_a_declared_encoding_does_not_shift_lines() -> None:
    """The ranges are those of the text that the interpreter reads."""
    before = b"# coding: utf-7\ndef f(g):\n    return g.__code__\n"
    smuggled = before.replace(b"    return", b"    # +AAo    g.x+AD0-1\n    return")
    assert untouched(before, before) == [(2, 3)]
    assert untouched(before, smuggled) == []
