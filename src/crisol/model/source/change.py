"""The change that a patch makes to the vulnerable source.

A :class:`Change` holds, for each Python file that the patch touches, the syntax trees before and after the
patch, and the functions that the patch changes.
"""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass

from crisol.diff import Patch, apply
from crisol.errors import PatchDoesNotApply
from crisol.model.source.syntax import Definition, definitions
from crisol.wargaming.parsing import parsed

__all__ = ["Change", "File", "PublicFacts", "change_of"]

_MAX_FILES = 20
_MAX_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """The facts that anybody may know of a vulnerability before there is a patch.

    ``description`` is its description, ``pov`` the text of its public PoV; either is "" if unknown. ``fix``
    is the known fix: (path, vulnerable text, fixed text) for each file that it touches. It is () if unknown.
    """

    description: str = ""
    pov: str = ""
    fix: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A Python file that a patch touches, before and after the patch.

    - ``old_text``, ``new_text``: the texts before and after; "" where the file does not exist.
    - ``old``, ``new``: their syntax trees; None where the text does not parse.
    - ``removed``: the numbers of the removed lines in the old text, from 1. ``added``: the numbers of the
      added lines in the new text, from 1.
    - ``functions``: the functions that contain changed lines; of nested functions the innermost around each
      line. Each is a pair (before, after) of syntax tree nodes; one of them is None where the function does
      not exist.
    """

    path: str
    old_text: str
    new_text: str
    old: ast.Module | None
    new: ast.Module | None
    removed: frozenset[int]
    added: frozenset[int]

    functions: tuple[tuple[Definition | None, Definition | None], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A patch that was applied to the vulnerable source.

    ``files`` are the Python files that the patch touches. ``facts`` are the vulnerability's description,
    public PoV and known fix.
    """

    files: tuple[File, ...]
    facts: PublicFacts

    @property
    def functions(self) -> tuple[tuple[Definition | None, Definition | None], ...]:
        """The changed functions of all files, as pairs (before, after).

        Each is a node of a syntax tree, ``ast.FunctionDef`` or ``ast.AsyncFunctionDef``. One of the pair is
        None where the function does not exist before or after the patch.
        """
        return tuple(pair for file in self.files for pair in file.functions)


def change_of(patch: Patch, source: dict[str, str], facts: PublicFacts) -> Change | None:
    """Apply a patch to the vulnerable source, and return the change of each touched Python file.

    ``source`` maps each path that the patch changes, spelt as in the patch, to its vulnerable text; the path
    of a new file is left out. ``facts`` are stored in the result. The result is None where ``source`` is
    empty or has more than 2,000,000 characters in all, where the patch does not apply, and where it changes
    more than 20 files.
    """
    if not source or sum(map(len, source.values())) > _MAX_CHARACTERS or len(patch.files) > _MAX_FILES:
        return None
    try:
        after = apply(patch, source.get)
    except PatchDoesNotApply:
        return None
    files = tuple(
        _file(path, source.get(path, ""), text or "")
        for path, text in sorted(after.items())
        if path.endswith(".py")
    )
    return Change(files, facts)


def _file(path: str, old: str, new: str) -> File:
    before, after = old.split("\n"), new.split("\n")
    removed: set[int] = set()
    added: set[int] = set()
    # Equal beginnings and ends of both sides are cut off first: the matcher takes quadratic time.
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old_part, new_part = before[head : len(before) - tail], after[head : len(after) - tail]
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old_part, new_part, autojunk=True).get_opcodes():
        if tag != "equal":
            removed.update(range(head + i + 1, head + j + 1))
            added.update(range(head + k + 1, head + m + 1))
    sides = _by_name(parsed(old)), _by_name(parsed(new))
    names = {**_changed(sides[0], removed), **_changed(sides[1], added)}
    pairs = tuple((sides[0].get(name), sides[1].get(name)) for name in names)
    return File(path, old, new, parsed(old), parsed(new), frozenset(removed), frozenset(added), pairs)


def _by_name(tree: ast.Module | None) -> dict[str, Definition]:
    by_name: dict[str, Definition] = {}
    for definition in (
        [] if tree is None else sorted(definitions(tree), key=lambda definition: definition.lineno)
    ):
        turn = 0
        while f"{definition.name}#{turn}" in by_name:
            turn += 1
        by_name[f"{definition.name}#{turn}"] = definition
    return by_name


def _changed(functions: dict[str, Definition], lines: set[int]) -> dict[str, None]:
    names: dict[str, None] = {}
    for line in sorted(lines):
        inside = [
            (function.lineno, name)
            for name, function in functions.items()
            if _first(function) <= line <= (function.end_lineno or function.lineno)
        ]
        if inside:
            names[max(inside)[1]] = None
    return names


def _first(definition: Definition) -> int:
    return min([definition.lineno, *(decorator.lineno for decorator in definition.decorator_list)])
