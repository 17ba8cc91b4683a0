"""The identity of a program."""

import ast
import random
from pathlib import Path

import pytest

import crisol.wargaming.program as module_under_test
from crisol.wargaming.program import VULNERABLE, Module, ProgramTree, habits

_SOURCE = '''"""A module that reads."""
import os

class Reader:
    """Reads files."""
    limit = 3

    def read(self, name):
        """Read a file."""
        return open(name)

def write(name):
    return os.remove(name)
'''


def _identity(text: str | None, *more: str, path: str = "app.py") -> str:
    tree = ProgramTree({"app.py": _SOURCE, "notes.md": "x"}, habits([_SOURCE, *more]))
    return tree.identity({path: text})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return open(name)", "# a comment\n        return (open(name))  # so"),
        ("limit = 3", "limit = (\n        0x3\n    )"),
        ('"""Read a file."""', '"""Read one file, or two."""'),
        ('        """Read a file."""\n', ""),
        ("return open(name)", "pass\n        return open(name)"),
        ("import os\n", "import os\n\n\n\n"),
    ],
)
def test_what_does_not_execute_changes_nothing(old: str, new: str) -> None:
    """Comments, layout, parentheses, docstrings and pass make the vulnerable program again."""
    assert _identity(_SOURCE.replace(old, new)) == VULNERABLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("open(name)", "open(name, 'rb')"),
        ("limit = 3", "limit = 3.0"),
        ("limit = 3", "limit = True"),
        ("return open(name)", "if name:\n            return open(name)"),
        ("def write(name):", "def write(name=None):"),
        ("def write", "@staticmethod\ndef write"),
        ("class Reader:", "class Reader(object):"),
        ("import os\n", "import os\nimport re\n"),
        ('"""A module that reads."""', "# -*- coding: latin-1 -*-\n"),
        ('"""Read a file."""', '"""abort"""'),
    ],
)
def test_what_executes_changes_the_identity(old: str, new: str) -> None:
    """Another expression, type, default, decorator, base, import or encoding is another program."""
    assert _identity(_SOURCE.replace(old, new)) != VULNERABLE


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a()\nb()\nc()\nc()\n", "a()\revil()\nb()\nc()\n"),
        ("# coding: utf-7\na()\n", "# coding: utf-7\na()  # +AAo-evil()\n"),
        ("# coding: raw_unicode_escape\na()\n", "# coding: raw_unicode_escape\na()  # \\u000aevil()\n"),
    ],
)
def test_a_line_that_only_python_sees_is_another_program(first: str, second: str) -> None:
    """A carriage return ends a line, and so does a line feed that comes from the file's encoding."""
    tree = ProgramTree({"app.py": "a()\nb()\nc()\n"})
    assert tree.identity({"app.py": first}) != tree.identity({"app.py": second})


def test_the_same_program_has_one_identity_however_it_is_written() -> None:
    """Two patches that differ in comments are one; two that differ in code are two."""
    one = _identity(_SOURCE.replace("return open(name)", "check(name)\n        return open(name)"))
    other = _identity(
        _SOURCE.replace("return open(name)", "check(name)  # first\n\n        return (open(name))")
    )
    moved = _identity(_SOURCE.replace("return os", "check(name)\n    return os"))
    assert one == other != moved
    assert one != VULNERABLE


@pytest.mark.parametrize(
    "reader",
    [
        "import linecache",
        "inspect.getsource(f)",
        "import sys, traceback",
        "frame.f_lineno",
        "open(__file__)",
        "f.__code__.co_firstlineno",
    ],
)
def test_a_tree_that_reads_its_own_source_counts_every_letter(reader: str) -> None:
    """Where a source can see layout, layout is part of the program."""
    assert _identity(_SOURCE + "# more\n", reader) != VULNERABLE
    assert _identity(_SOURCE + "# more\n") == VULNERABLE


@pytest.mark.parametrize("reader", ["print(f.__doc__)", "import doctest", "from docopt import docopt"])
def test_a_tree_that_reads_docstrings_keeps_them(reader: str) -> None:
    """Where a source can see docstrings, they are part of the program, and comments are not."""
    assert _identity(_SOURCE.replace("Read a file", "Read it now"), reader) != VULNERABLE
    assert _identity(_SOURCE + "# more\n", reader) == VULNERABLE


def test_documentation_counts_where_a_source_names_it() -> None:
    """A changed text file is nothing, unless some source may read it."""
    assert _identity("y", path="notes.md") == VULNERABLE
    assert _identity("y", "open('notes.md')", path="notes.md") != VULNERABLE
    assert _identity("y", path="data.json") != VULNERABLE


def test_what_cannot_be_parsed_is_its_text() -> None:
    """Hostile depth and broken syntax have an identity, too."""
    assert _identity("(" * 5000) != _identity("(" * 5001) != VULNERABLE
    assert _identity(None) != VULNERABLE


def test_the_vulnerable_side_is_read_once() -> None:
    """A patch is compared with the tree several times; the disk is asked once for each file that is there."""
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return _SOURCE if path == "app.py" else None

    tree = ProgramTree(read)
    for text in ("a = 1\n", "a = 2\n"):
        tree.identity({"app.py": text})
    assert asked == ["app.py"]


def test_names_of_files_that_are_not_there_are_not_kept() -> None:
    """Patches of strangers may name any number of them."""
    tree = ProgramTree({})
    for number in range(3):
        tree.identity({f"new{number}.py": "a = 1\n"})
    assert not tree._modules
    assert not tree._texts


_PIECES = (
    "", "    pass", "x = 1", "else:", "@wraps", "x = (", ")", '"""', "x = 1 \\", "    return 2", "class A:",
    "def f():", "if x:", "    y = 2; z = 3", "# note", "try:", "\x0c", "a\rb", "import os", "finally:",
)  # fmt: skip


def _edited(lines: list[str], rng: random.Random) -> str:
    """Return a source with some lines exchanged, inserted or dropped, often into nonsense."""
    lines = list(lines)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        lines[at : at + rng.choice((0, 0, 1, 3))] = rng.choices(_PIECES, k=rng.choice((0, 1, 1, 2)))
    return "\n".join(lines)


def test_what_is_parsed_in_part_is_what_the_whole_parses_to() -> None:
    """Whatever a change does to the lines around it, the statements are those of the whole source."""
    rng = random.Random(0)
    source = Path(module_under_test.__file__).read_text(encoding="utf-8")
    before = Module.of(source)
    assert before is not None
    quick = 0
    for _ in range(200):
        text = _edited(source.split("\n"), rng)
        whole, part = Module.of(text), Module.of(text, before)
        assert (whole is None) == (part is None), text
        if whole is not None and part is not None:
            quick += part.lines != whole.lines
            assert [ast.dump(node) for node in part.body] == [ast.dump(node) for node in whole.body], text
    assert quick > 25, "most changes that parse are parsed in part"
