"""Make mutants: random variations of a candidate.

A mutant is a right or wrong patch with a few edits: plausible mistakes (:mod:`.edits`), changes that keep the
behaviour (:mod:`.disguises`), or both. The edits change only lines that the patch added or changed. A wargame
decides whether the mutant is valid, as for any other candidate.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from crisol import diff
from crisol.errors import DiffError, InputError
from crisol.records import Candidate, Origin
from crisol.wargaming.disguises import DISGUISES, REWRITES
from crisol.wargaming.edits import OPERATORS
from crisol.wargaming.program import ProgramTree, is_program
from crisol.wargaming.spans import Text, parses

__all__ = ["mutants"]

_ATTEMPTS = 12
"""The number of tries for each mutant after which a parent is given up."""
_PLACES = 200
"""The largest number of nodes that one edit examines."""
_SAME_PROGRAM = 0.25
"""The share of mutants that behave like their parent."""
_DISGUISED = 0.5
"""The share of all mutants whose comments, docstrings or layout differ from their parent's, too."""

_Files = dict[str, str | None]
"""The new text of each file that a mutant changes, by path; None for a deleted file."""
_Edit = Callable[[Text, ast.AST], Iterator[str]]


def mutants(
    parents: Sequence[Candidate], source: Mapping[str, str], limit: int, seed: int
) -> Iterator[Candidate]:
    """Yield up to ``limit`` mutants: patches that are made from other candidates by small random changes.

    ``parents`` are those candidates, all of one vulnerability; each gets a mutant before any gets a second. A
    parent that does not apply gets none. ``source`` maps the path of every file that a parent changes to the
    vulnerable text; files that a parent creates are not in it. The same ``seed`` gives the same mutants.
    Every mutant parses. Each makes another program than the vulnerable one, the parents and the other
    mutants; a change of comments, layout or docstrings alone makes no other program.
    """
    tree = ProgramTree(source)
    applied = [(parent, files) for parent in parents if (files := _applied(parent, source)) is not None]
    seen = {tree.identity(files) for files in ({}, *(files for _, files in applied))}
    count = 0
    for turn in range(_ATTEMPTS * limit if applied else 0):
        if count == limit:
            return
        parent, files = applied[turn % len(applied)]
        rng = random.Random(f"{seed}:{parent.vulnerability}:{parent.name}:{turn // len(applied)}")
        changed, operators = _mutated(parent, files, source, rng)
        program, text = tree.identity(changed), _diff_text(source, changed)
        if program in seen or not is_program(changed) or not (identity := _identity(text)):
            continue
        seen.add(program)
        count += 1
        yield replace(
            parent,
            name=f"{parent.name}~{operators[0]}-{identity[:8]}",
            origin=Origin.MUTANT,
            diff=text,
            parent=parent.name,
            operator="+".join(operators),
        )


def _mutated(
    parent: Candidate, files: _Files, source: Mapping[str, str], rng: random.Random
) -> tuple[_Files, list[str]]:
    """Return (files of a mutant, names of its edits); (``files``, []) if no edit is possible."""
    done: list[str] = []
    kinds: list[Mapping[str, _Edit]] = []
    if rng.random() < _SAME_PROGRAM:
        kinds += [_seeded(REWRITES, rng)] * rng.choice((1, 2))
    elif rng.random() < 1 / len(OPERATORS) and (fewer := _without_a_hunk(parent, source, rng)) is not None:
        files = fewer
        done.append("drop_hunk")
    else:
        kinds += [OPERATORS] * rng.choice((1, 1, 2, 3))
    if rng.random() < _DISGUISED:
        kinds += [_seeded(DISGUISES, rng)] * rng.choice((1, 1, 2, 3))
    for operators in kinds:
        edited = _edited(files, source, operators, rng)
        if edited is not None:
            files, operator = edited
            done.append(operator)
    return files, done


def _seeded(disguises: Mapping[str, Callable[..., Iterator[str]]], rng: random.Random) -> dict[str, _Edit]:
    return {name: partial(_with_chance, disguise, rng) for name, disguise in disguises.items()}


def _with_chance(
    disguise: Callable[[Text, ast.AST, random.Random], Iterator[str]],
    rng: random.Random,
    text: Text,
    node: ast.AST,
) -> Iterator[str]:
    return disguise(text, node, rng)


def _edited(
    files: _Files, source: Mapping[str, str], operators: Mapping[str, _Edit], rng: random.Random
) -> tuple[_Files, str] | None:
    """Return (files after one random edit, name of the edit); None if no operator can change anything.

    Only lines that the patch added are edited.
    """
    names = sorted(operators)
    rng.shuffle(names)
    paths = sorted(path for path, text in files.items() if text is not None and path.endswith(".py"))
    rng.shuffle(paths)
    for path in paths:
        after = files[path] or ""
        nodes = _written(source.get(path, ""), after)
        if nodes is None:
            continue
        text, places = nodes[0], list(nodes[1])
        rng.shuffle(places)
        for name in names:
            for node in places[:_PLACES]:
                versions = [version for version in operators[name](text, node) if version != after]
                rng.shuffle(versions)
                for version in versions[:4]:
                    if parses(version):
                        return {**files, path: version}, name
    return None


@lru_cache(maxsize=32)
def _written(before: str, after: str) -> tuple[Text, tuple[ast.AST, ...]] | None:
    """Return ``after``, parsed, and its nodes in lines that the patch added; None if it does not parse."""
    try:
        text = Text(after)
    except (SyntaxError, ValueError, RecursionError):
        return None
    lines = _added_lines(before, after)
    nodes = []
    for node in ast.walk(text.tree):
        # Adjacent literals are one constant that begins on an earlier line than the part that was written.
        first = getattr(node, "lineno", 0)
        last = (node.end_lineno or 0) if isinstance(node, ast.Constant | ast.JoinedStr) else first
        if not lines.isdisjoint(range(first, last + 1)):
            nodes.append(node)
    return text, tuple(nodes)


def _added_lines(before: str, after: str) -> set[int]:
    written: set[int] = set()
    text = diff.between({"f": before}, {"f": after}, context=0)
    for change in diff.parse(text).files if text else ():
        for hunk in change.hunks:
            written.update(range(hunk.new_start, hunk.new_start + len(hunk.new)))
    return written


def _without_a_hunk(parent: Candidate, source: Mapping[str, str], rng: random.Random) -> _Files | None:
    patch = diff.parse(parent.diff)
    places = [(at, hunk) for at, change in enumerate(patch.files) for hunk in change.hunks]
    if len(places) < 2:
        return None
    at, dropped = rng.choice(places)
    change = patch.files[at]
    hunks = tuple(hunk for hunk in change.hunks if hunk is not dropped)
    rest = (diff.FileChange(change.old, change.new, hunks),) if hunks else ()
    reduced = diff.Patch(patch.files[:at] + rest + patch.files[at + 1 :])
    return diff.apply(reduced, source.get) if reduced.files else None


def _applied(parent: Candidate, source: Mapping[str, str]) -> _Files | None:
    try:
        return diff.apply(diff.parse(parent.diff), source.get)
    except InputError:
        return None


def _diff_text(source: Mapping[str, str], files: _Files) -> str:
    return "".join(_file(path, source.get(path), files[path]) for path in sorted(files))


@lru_cache(maxsize=64)
def _file(path: str, before: str | None, after: str | None) -> str:
    old, new = ({} if text is None else {path: text} for text in (before, after))
    return diff.between(old, new)


def _identity(text: str) -> str:
    try:
        return diff.parse(text).identity
    except DiffError:
        return ""
