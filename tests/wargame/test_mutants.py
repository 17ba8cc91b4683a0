"""Mutants are distinct, parse, stay within what the parent wrote, and are chosen by the seed."""

from __future__ import annotations

import ast
import random

import pytest

from crisol import diff
from crisol.records import Candidate, Origin
from crisol.wargame.mutants import OPERATORS, edits, mutants

BEFORE = 'import os\n\n\ndef load(name, root="/srv"):\n    return open(os.path.join(root, name)).read()\n\n\ndef other(a):\n    if a > 1 and a < 5:\n        return a\n'
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
PARENT = Candidate("v", "fix", Origin.HAND, diff.between({"app.py": BEFORE}, {"app.py": AFTER}))


def test_mutants_are_new_and_parse() -> None:
    """No mutant equals another, its parent or the vulnerable source, and each is a program."""
    made = list(mutants(PARENT, {"app.py": BEFORE}, 200, seed=1))
    texts = [diff.apply(diff.parse(mutant.diff), {"app.py": BEFORE}.get)["app.py"] for mutant in made]
    assert len(set(texts)) == len(texts) > 30
    assert not {BEFORE, AFTER} & set(texts)
    for text in texts:
        ast.parse(text or "")
        assert "def other(a):\n    if a > 1 and a < 5:\n        return a\n" in (text or "")


def test_the_seed_decides() -> None:
    """The same seed makes the same mutants, another seed others."""
    one, same, two = (
        [m.name for m in mutants(PARENT, {"app.py": BEFORE}, 12, seed=seed)] for seed in (1, 1, 2)
    )
    assert one == same != two
    assert len(one) == 12


def test_operators_take_turns() -> None:
    """A short list is not all of one kind."""
    made = list(mutants(PARENT, {"app.py": BEFORE}, 8, seed=3))
    assert len({mutant.operator for mutant in made}) == 8


@pytest.mark.parametrize("operator", sorted(set(OPERATORS) - {"drop_argument", "swap_arguments"}))
def test_every_operator_finds_work(operator: str) -> None:
    """On a fix with a guard, a comparison and a handler, each operator makes a mutant."""
    assert operator in {mutant.operator for mutant in mutants(PARENT, {"app.py": BEFORE}, 500, seed=1)}


def test_dropping_a_hunk_leaves_the_others() -> None:
    """A patch of two hunks yields both halves."""
    before = "a = 1\n" + "x = 0\n" * 12 + "b = 1\n"
    after = before.replace("a = 1", "a = 2").replace("b = 1", "b = 2")
    parent = Candidate("v", "p", Origin.HAND, diff.between({"m.py": before}, {"m.py": after}))
    made = [m for m in mutants(parent, {"m.py": before}, 99, seed=0) if m.operator == "drop_hunk"]
    added = sorted(diff.parse(mutant.diff).added for mutant in made)
    assert added == [["a = 2"], ["b = 2"]]


def test_a_comment_alone_changes_no_behaviour() -> None:
    """The mutant looks like a patch at the right place and is the vulnerable program."""
    made = [one for one in mutants(PARENT, {"app.py": BEFORE}, 200, seed=1) if one.operator == "comment_only"]
    assert made
    for mutant in made:
        text = diff.apply(diff.parse(mutant.diff), {"app.py": BEFORE}.get)["app.py"]
        assert text != BEFORE
        assert ast.dump(ast.parse(text or "")) == ast.dump(ast.parse(BEFORE))


def test_a_part_of_adjacent_literals_is_mutated() -> None:
    """The constant begins above the line that the patch wrote."""
    before = 'P = (\n    r"a+"\n    r"b+"\n)\n'
    after = before.replace('r"b+"', 'r"b{1,9}"')
    parent = Candidate("v", "fix", Origin.HAND, diff.between({"p.py": before}, {"p.py": after}))
    assert "change_constant" in {one.operator for one in mutants(parent, {"p.py": before}, 20, seed=1)}


def test_a_patch_of_thousands_of_lines_ends() -> None:
    """Not every place of a very large patch is tried: twice the lines make hardly more work."""
    tried = []
    for lines in (1500, 3000):
        before = "TABLE = (\n" + "".join(f"    ({at}, 'v{at}'),\n" for at in range(lines)) + ")\n"
        after = before.replace(", 'v", ", 'w")
        tried.append(sum(len(text) for _, text in edits(before, after, random.Random(1))))
    assert tried[1] <= 1.1 * tried[0]
    parent = Candidate("v", "fix", Origin.HAND, diff.between({"t.py": before}, {"t.py": after}))
    made = [mutant.name for mutant in mutants(parent, {"t.py": before}, 4, seed=1)]
    assert len(made) == 4
    assert made == [mutant.name for mutant in mutants(parent, {"t.py": before}, 4, seed=1)]
