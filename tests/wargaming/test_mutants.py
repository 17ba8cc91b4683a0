"""Mutants are distinct programs, stay within what their parents wrote, and are chosen by the seed."""

from __future__ import annotations

import ast
import random

import pytest

from crisol import diff
from crisol.records import Candidate, Origin
from crisol.wargaming.disguises import DISGUISES, REWRITES
from crisol.wargaming.edits import OPERATORS
from crisol.wargaming.mutants import mutants
from crisol.wargaming.program import VULNERABLE, ProgramTree
from crisol.wargaming.spans import Text, parses

BEFORE = (
    "import os\n"
    "\n"
    "\n"
    'def load(name, root="/srv"):\n'
    "    return open(os.path.join(root, name)).read()\n"
    "\n"
    "\n"
    "def other(a):\n"
    "    if a > 1 and a < 5:\n"
    "        return a\n"
)
AFTER = """import os


def load(name, root="/srv"):
    path = os.path.realpath(os.path.join(root, name))
    if not path.startswith(os.path.realpath(root) + "/") or len(name) > 200:
        raise ValueError("é: outside the root")
    try:
        return open(path, mode="r").read()
    except OSError:
        return None


def other(a):
    if a > 1 and a < 5:
        return a
"""
SOURCE = {"app.py": BEFORE}
PARENT = Candidate("v", "fix", Origin.HAND, diff.between(SOURCE, {"app.py": AFTER}))
SHORT = Candidate(
    "v", "short", Origin.AGENT, diff.between(SOURCE, {"app.py": BEFORE.replace("name))", "name[1:]))")})
)


def patched(mutant: Candidate) -> str:
    return diff.apply(diff.parse(mutant.diff), SOURCE.get)["app.py"] or ""


def test_no_two_mutants_are_the_same_program() -> None:
    """Nor is one the same as a parent or the vulnerable source, docstrings and comments aside.

    What was not touched stays.
    """
    made = list(mutants([PARENT, SHORT], SOURCE, 60, seed=1))
    tree = ProgramTree(SOURCE)
    programs = {tree.identity({"app.py": patched(mutant)}) for mutant in made}
    assert len(made) == len(programs) == 60
    assert not programs & {VULNERABLE, tree.identity({"app.py": AFTER})}
    assert all(parses(patched(mutant)) for mutant in made)
    for mutant in made:
        assert "def other(a):\n    if a > 1 and a < 5:\n        return a\n" in patched(mutant)


def test_the_seed_decides() -> None:
    first, same, other = ([m.name for m in mutants([PARENT], SOURCE, 12, seed=seed)] for seed in (1, 1, 2))
    assert first == same != other
    assert len(first) == 12


def test_every_parent_has_its_turn() -> None:
    """Right and wrong, of whatever origin: a mutant's parent tells nothing."""
    made = list(mutants([PARENT, SHORT], SOURCE, 20, seed=3))
    assert 5 <= sum(mutant.parent == "short" for mutant in made) <= 15
    assert {mutant.origin for mutant in made} == {Origin.MUTANT}


def test_comments_come_with_mistakes_and_with_the_same_program_alike() -> None:
    """And in so many words that none of them is a sign."""
    made = list(mutants([PARENT], SOURCE, 60, seed=5))
    disguised = [mutant for mutant in made if set(mutant.operator.split("+")) & set(DISGUISES)]
    assert 15 <= len(disguised) <= 45
    assert any(set(mutant.operator.split("+")) & set(OPERATORS) for mutant in disguised)
    assert any(not set(mutant.operator.split("+")) & set(OPERATORS) for mutant in disguised)
    comments = {line.strip() for m in made for line in patched(m).split("\n") if line.strip().startswith("#")}
    assert len(comments) > 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('P = r"a+"\n', 'P = r"^a+\\Z"\n'),
        ('P = b"x"\n', 'P = b"\\x00\\r\\n"\n'),
        ("P = 1\n", 'P = f"{1}: refused {2}"\n'),
        ('P = (\n    r"a+"\n    r"b+"\n)\n', 'P = (\n    r"a+"\n    r"b{1,9}"\n)\n'),
    ],
)
def test_literals_are_mutated_inside(before: str, after: str) -> None:
    """Of patterns, bytes, formatted and adjacent literals."""
    source = {"p.py": before}
    parent = Candidate("v", "fix", Origin.HAND, diff.between(source, {"p.py": after}))
    made = [m for m in mutants([parent], source, 12, seed=1) if "change_literal" in m.operator]
    assert made
    for mutant in made:
        text = diff.apply(diff.parse(mutant.diff), source.get)["p.py"] or ""
        assert ast.dump(ast.parse(text)) not in {ast.dump(ast.parse(before)), ast.dump(ast.parse(after))}


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_every_operator_yields_programs(operator: str) -> None:
    code = AFTER + "check(a, b, limit=1)\nif first(x):\n    y = 1\nz = n[:10].strip() == 5\n"
    text = Text(code)
    made = [version for node in ast.walk(text.tree) for version in OPERATORS[operator](text, node)]
    assert any(parses(version) and version != code for version in made)


@pytest.mark.parametrize("name", sorted(DISGUISES))
def test_a_disguise_leaves_the_program_as_it_is(name: str) -> None:
    text, rng = Text(AFTER), random.Random(1)
    made = [version for node in ast.walk(text.tree) for version in DISGUISES[name](text, node, rng)]
    assert made
    tree = ProgramTree({"app.py": AFTER})
    assert {tree.identity({"app.py": version}) for version in made} == {VULNERABLE}


@pytest.mark.parametrize("name", sorted(REWRITES))
def test_a_rewrite_behaves_like_its_original(name: str) -> None:
    """On every input that is tried, results and exceptions alike."""
    code = (
        "def f(a, b):\n    total = a\n    if a not in b:\n        raise ValueError(a)\n    if a == 3:\n"
        "        total = total * 2\n    if total is not None:\n        return total + 1\n    return total\n"
    )
    rewritten(name, code)


@pytest.mark.parametrize(
    "comparison",
    [
        "(a or 1) == 1",
        "(a == 1) == True",
        "(not a) == True",
        "(a if a else 1) == 1",
        "(c := a) == 1",
        "(a\n- 1) == 1",
        "(a or 2) not in b",
        "a not in (b or a)",
        "(a and None) is not None",
    ],
)
def test_an_operand_keeps_the_parentheses_that_it_needs(comparison: str) -> None:
    """An operand that binds more loosely than the comparison, or has several lines, is the same operand."""
    rewritten("equivalent", f"def f(a, b):\n    result = {comparison}\n    return result\n")


@pytest.mark.parametrize("condition", ["(c := a)", "a and (c := b)", "(a\n        or b)", "*b,"])
def test_a_condition_is_the_argument_of_a_call(condition: str) -> None:
    """An assignment, several lines and a tuple are one condition still."""
    rewritten("equivalent", f"def f(a, b):\n    if ({condition}):\n        return a\n    return b\n")


@pytest.mark.parametrize(
    "value",
    ["f(\n    3)", "[a,\n    b]", "*b, a", "a \\\n    + 1", '"""\n    text"""', "lambda: a"],
)
def test_a_value_that_needs_no_parentheses_gets_a_name(value: str) -> None:
    (text,) = named(f"def f(a, b):\n    return {value}  # why\n")
    name = text.split()[3]
    assert text == f"def f(a, b):\n    {name} = {value}\n    return {name}  # why\n"


@pytest.mark.parametrize(
    "code",
    [
        "def f(a, b):\n    return (a\n    + 1)\n",
        "def f(a, b):\n    return (a\n        + 1)\n",
        "def f(a, b):\n    return (a  # why\n    - 1)\n",
        "def f(a, b):\n    raise ('a'\n    'b')\n",
        "def f(a, b):\n    return (c := a)\n",
        "def f(a, b):\n    if a: \\\n    return b\n",
    ],
)
def test_a_value_that_needs_its_parentheses_gets_no_name(code: str) -> None:
    """Without them its second line would be a statement of its own, or the value no expression."""
    assert named(code) == []


def named(code: str) -> list[str]:
    """Return the texts that the rewrite with a temporary variable makes of ``code``."""
    text, rng = Text(code), random.Random(1)
    return [version for node in ast.walk(text.tree) for version in REWRITES["temporary"](text, node, rng)]


def rewritten(name: str, code: str) -> None:
    """Assert that the rewrite ``name`` makes other texts of ``code``, and that they behave alike."""
    text = Text(code)
    made = [
        version for node in ast.walk(text.tree) for version in REWRITES[name](text, node, random.Random(1))
    ]
    assert made
    assert code not in made
    assert [behaviour(version) for version in made] == [behaviour(code)] * len(made)


def behaviour(code: str) -> list[object]:
    space: dict[str, object] = {}
    exec(code, space)
    results: list[object] = []
    for a in range(5):
        try:
            results.append(space["f"](a, (1, 3)))  # type: ignore[operator]  # a function that the code defines
        except ValueError as error:
            results.append(str(error))
    return results


def test_dropping_a_hunk_leaves_the_others() -> None:
    before = "a = 1\n" + "x = 0\n" * 12 + "b = 1\n"
    source = {"m.py": before}
    after = before.replace("a = 1", "a = 2").replace("b = 1", "b = 2")
    parent = Candidate("v", "p", Origin.HAND, diff.between(source, {"m.py": after}))
    made = [m for m in mutants([parent], source, 40, seed=0) if "drop_hunk" in m.operator]
    assert made
    for mutant in made:
        assert len({"a = 2", "b = 2"} & set(diff.parse(mutant.diff).added)) == 1


def test_a_patch_of_thousands_of_lines_ends() -> None:
    before = "TABLE = (\n" + "".join(f"    ({at}, 'v{at}'),\n" for at in range(3000)) + ")\n"
    source = {"t.py": before}
    parent = Candidate(
        "v", "fix", Origin.HAND, diff.between(source, {"t.py": before.replace(", 'v", ", 'w")})
    )
    made = [mutant.name for mutant in mutants([parent], source, 4, seed=1)]
    assert len(made) == 4
    assert made == [mutant.name for mutant in mutants([parent], source, 4, seed=1)]


def test_candidates_that_are_no_program_have_no_mutants() -> None:
    parent = Candidate("v", "broken", Origin.AGENT, diff.between(SOURCE, {"app.py": "def load(:\n"}))
    assert list(mutants([parent], SOURCE, 5, seed=0)) == []
