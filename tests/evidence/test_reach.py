"""What is on the way of an exploit."""

import sys
import types

import pytest

from crisol.evidence.reach import sees_itself, touched
from crisol.evidence.trace import Code, Way
from crisol.evidence.tracer import _Recorder  # the tracer without its sandbox
from crisol.wargaming.program import ProgramTree, habits

_SOURCE = """import os
LIMIT = 3

def late(items):
    for item in items:
        yield item

def early(name, key=lambda LIMIT: LIMIT):
    if name is None:
        value = 0
        return value
    if name:
        return len(name)
    else:
        size = 1
    return LIMIT

def helper(name):
    return name

class Reader:
    kind = "r"

    def read(self, name):
        return early(name)

    def write(self, name):
        return name

    @property
    def quiet(self):
        return 1
"""


def _way(call: str) -> Way:
    """Trace a call of the source as the sandbox would."""
    recorder = _Recorder("/target/", call, lines=True)
    module = types.ModuleType("app")
    code = compile(_SOURCE, "/target/app.py", "exec")
    before = sys.gettrace()
    sys.settrace(recorder.on_call)
    try:
        exec(code, module.__dict__)
        exec(call, module.__dict__)
    finally:
        sys.settrace(before)
    places = tuple(Code(*key, tuple(sorted(lines))) for key, lines in recorder.places.items())
    return Way("pov.py", places, frozenset({"app", "json"}), frozenset({"read.rst"}), frozenset({"plugins/"}))


_WAY = _way("Reader().read('name'); list(late([1]))")


def _touched(old: str, new: str, way: Way = _WAY) -> bool:
    assert old in _SOURCE
    tree = ProgramTree({"app.py": _SOURCE, "read.rst": "x", "notes.rst": "x"}, habits([_SOURCE]))
    return touched(tree, {"app.py": _SOURCE.replace(old, new, 1)}, way) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def helper(name):\n    return name", "def helper(name):\n    check(name)\n    return name.strip()"),
        (
            "    def write(self, name):\n        return name",
            "    def write(self, name):\n        raise ValueError",
        ),
        ("        return 1", "        return 2"),
        ("        value = 0\n", "        value = 1\n"),
        ("        return value", "        print(value)\n        return None"),
        ("        size = 1", "        size = LIMIT - 1"),
        ("    return LIMIT\n", "    return LIMIT + 1\n"),
        ("    return LIMIT\n", "    del name\n    return LIMIT\n"),
        ("LIMIT = 3", "# three\nLIMIT = (3)"),
    ],
)
def test_what_no_exploit_executes_is_not_on_the_way(old: str, new: str) -> None:
    """Functions that are never called, suites never entered, statements never reached."""
    assert not _touched(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("import os\n", "import os\nimport re\n"),
        ("def helper(name):", "def helper(name, other=None):"),
        ("def helper", "@decorate\ndef helper"),
        ("class Reader:", "class Reader(dict):"),
        ('kind = "r"', 'kind = "w"'),
        ("        return early(name)", "        check(name)\n        return early(name)"),
        ("        return 1\n", "        return 1\n\n    def __getattr__(self, name):\n        return None\n"),
        ("def helper(name):\n    return name\n", ""),
        ("        yield item\n", "        yield item\n    raise ValueError\n"),
        ("        yield item\n", "        yield item\n        check(item)\n"),
        ("    if name:", "    if name and check(name):"),
        ("    if name is None:", "    name = os.path.basename(name)\n    if name is None:"),
        ("    @property\n", ""),
        # Inside suites that never run, and seen by what does run all the same.
        ("        size = 1", "        LIMIT = 1"),
        ("        size = 1", "        yield 1"),
        ("        size = 1", "        def inner(a=(LIMIT := 1)): pass"),
        ("        size = 1", "        def inner(a: (LIMIT := int)) -> None: pass"),
        ("        size = 1", "        def inner() -> (LIMIT := int): pass"),
        ("        size = 1", "        def inner(a=(yield)): pass"),
        ("        size = 1", "        inner = lambda a=(LIMIT := 1): a"),
        ("        size = 1", "        class Inner((LIMIT := dict)): pass"),
        ("        size = 1", "        class Inner(metaclass=(LIMIT := type)): pass"),
        ("        value = 0\n", "        len = 0\n        value = 0\n"),
        ("        value = 0\n", "        global value\n        value = 0\n"),
        ("def helper(name):\n    return name", "def helper(name):\n    yield name"),
        ("def helper(name):\n    return name", "async def helper(name):\n    return name"),
    ],
)
def test_what_runs_at_import_or_in_the_exploit_is_on_the_way(old: str, new: str) -> None:
    """Module level, classes, decorators, defaults, new names, tails of generators, and changed scopes."""
    assert _touched(old, new)


@pytest.mark.parametrize(
    ("path", "text", "on_the_way"),
    [
        ("other.py", "x = 1", False),
        ("json.py", "x = 1", True),
        ("pkg/json/__init__.py", "x = 1", True),
        ("re.py", "x = 1", True),
        ("plugins/new.py", "x = 1", True),
        ("notes.rst", "y", False),
        ("read.rst", "y", True),
        ("data.json", "{}", True),
        ("app.py", None, True),
    ],
)
def test_files_that_somebody_looks_for_are_on_the_way(path: str, text: str | None, on_the_way: bool) -> None:
    """A new file may shadow a module, be read, or be found in a folder that is listed."""
    tree = ProgramTree({"app.py": _SOURCE, "read.rst": "x", "notes.rst": "x"}, habits([_SOURCE]))
    assert (touched(tree, {path: text}, _WAY) is not None) is on_the_way


def test_without_lines_a_function_that_runs_is_on_the_way_as_a_whole() -> None:
    """Where the tracer followed calls alone, no suite is taken for dead."""
    codes = tuple(Code(code.path, code.name, code.line, None) for code in _WAY.code)
    way = Way("pov.py", codes, frozenset(), frozenset(), frozenset())
    assert _touched("        value = 0\n", "        value = 1\n", way)
    assert not _touched("        return 1", "        return 2", way)


def test_a_lost_way_is_touched_by_everything() -> None:
    """What could not be followed settles nothing."""
    lost = Way("pov.py", (), frozenset(), frozenset(), frozenset(), ("os.fork",))
    assert _touched("LIMIT = 3", "LIMIT = 3 ", lost)


@pytest.mark.parametrize(
    "text", ["import inspect\ninspect.getsource(f)\n", "from inspect import getsource as g\n"]
)
def test_a_program_that_reads_its_source_is_known_by_any_spelling(text: str) -> None:
    """Its behaviour may change with a comment."""
    way = Way("pov.py", (Code("app.py", "<module>", 1, (1, 2)),), frozenset(), frozenset(), frozenset())
    assert sees_itself(ProgramTree({"app.py": text}), way)
    assert not sees_itself(ProgramTree({"app.py": text.replace("getsource", "getdoc")}), way)


@pytest.mark.parametrize(
    "text",
    [
        "def f(line=sys._getframe().f_lineno): pass\n",
        "def f(*, line=sys._getframe().f_lineno): pass\n",
        "def f() -> sys._getframe().f_lineno: pass\n",
        "def f(line: sys._getframe().f_lineno): pass\n",
        "@keep(sys._getframe().f_lineno)\ndef f(): pass\n",
    ],
)
def test_the_head_of_a_function_runs_where_it_is_defined(text: str) -> None:
    """Its body does not run before a call."""
    way = Way("pov.py", (Code("app.py", "<module>", 1, (1,)),), frozenset(), frozenset(), frozenset())
    assert sees_itself(ProgramTree({"app.py": text}), way)
    body = "def f():\n    return sys._getframe().f_lineno\n"
    assert not sees_itself(ProgramTree({"app.py": body}), way)
