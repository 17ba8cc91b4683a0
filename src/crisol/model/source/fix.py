r"""The difference between a patch and the known fix, as numbers for a model and as words for people.

>>> source = {"app.py": "def read(name):\n    return open(name)\n"}
>>> fixed = profile({"app.py": "def read(name):\n    check(name)\n    return open(name)\n"}, source)
>>> candidate = profile({"app.py": "def read(name):\n    return open(name, 'rb')\n"}, source)
>>> [str(part) for part in distance(candidate, fixed).lacks]
['the statement check(name) in read', 'the call of check in read']
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crisol.model.source.flow import guards
from crisol.model.source.syntax import Definition, calls, said
from crisol.wargaming.parsing import parsed

__all__ = ["COLUMNS", "Distance", "Part", "Profile", "distance", "profile"]

KINDS = ("guard", "statement", "call", "constant", "operator", "shape")
"""The kinds of parts; a shape is a statement whose names are replaced by their order in the function."""

_SIDES = {
    "shared": ("{}s", "The {}s that patch and known fix both add or remove."),
    "lacked": ("{}s", "The {}s that only the known fix adds or removes."),
    "added": ("{}s", "The {}s that only the patch adds or removes."),
    "likeness": ("share", "The shared {}s, as a share of all three."),
}

COLUMNS = {
    "fix_functions_shared": ("functions", "Functions that patch and known fix both change."),
    "fix_functions_lacked": ("functions", "Functions that only the known fix changes."),
    "fix_functions_added": ("functions", "Functions that only the patch changes."),
    "fix_same": ("flag", "Whether the patch adds and removes the same as the known fix."),
    **{
        f"fix_{kind}s_{side}": (unit.format(kind), doc.format(kind))
        for kind in KINDS
        for side, (unit, doc) in _SIDES.items()
    },
}
"""Unit and meaning of each number of :attr:`Distance.vector`, by name and in this order."""

_MAX_TEXT = 160


class Part(NamedTuple):
    """A piece of syntax that a patch adds to a function (``sign`` 1) or removes from it (``sign`` -1).

    ``where`` is the name of the function, such as ``Class.method``; outside of functions it is the name of
    the class, and outside of classes the path of the file. ``kind`` says what ``text`` holds:

    - ``guard``: the condition of an assertion, or of an ``if`` whose body ends with raise, return, continue
      or break, as Python source;
    - ``statement``, ``constant``: Python source;
    - ``call``: the last part of the called name;
    - ``operator``: the name of a class in :mod:`ast`;
    - ``shape``: the node types of a statement, with numbers instead of variable names.
    """

    kind: str
    text: str
    where: str
    sign: int

    def __str__(self) -> str:
        """Return the part in words: ``the call of check in read``, or ``the removal of … from read``."""
        named = f"the call of {self.text}" if self.kind == "call" else f"the {self.kind} {self.text}"
        return f"{named} in {self.where}" if self.sign > 0 else f"the removal of {named} from {self.where}"


@dataclass(frozen=True, slots=True)
class Profile:
    """The changes of a patch: the changed functions, and how often each part was added or removed.

    ``functions`` has names such as ``path:Class.method``. The statements of a class outside of its methods
    have the name ``path:Class``, those of a file outside of classes and functions the name ``path:``.
    ``parts`` maps each :class:`Part` to its count. Additions and removals of the same syntax are counted
    under separate keys.
    """

    functions: frozenset[str]
    parts: Counter[Part]


@dataclass(frozen=True, slots=True)
class Distance:
    """The difference between a candidate and another patch of the same vulnerability, such as the known fix.

    ``lacks`` are the parts that only the other patch has, or has more often; ``adds`` are the parts that only
    the candidate has, or has more often. Both list each part once, sorted by kind (guards first), function
    and text, without parts of the kind ``shape``. ``vector`` is the difference as numbers, float64 of shape
    (28,); the mapping :data:`COLUMNS` gives their names, in order.
    """

    lacks: tuple[Part, ...]
    adds: tuple[Part, ...]
    vector: NDArray[np.float64]


def profile(after: Mapping[str, str | None], source: Mapping[str, str]) -> Profile:
    """Return the changes of a patch, from a comparison of the syntax trees before and after it.

    ``source`` maps paths to vulnerable texts. ``after`` maps the path of each file that the patch touches to
    the patched text, None for a deleted file. Files that are not Python are ignored. A text counts as empty
    if it does not parse, or if ``source`` lacks it, as for a new file.
    """
    functions: set[str] = set()
    parts: Counter[Part] = Counter()
    for path, text in sorted(after.items()):
        if not path.endswith(".py"):
            continue
        old, new = _units(source.get(path, "")), _units(text or "")
        for name in sorted(old.keys() | new.keys()):
            before, now = old.get(name, ()), new.get(name, ())
            if [ast.dump(node) for node in before] == [ast.dump(node) for node in now]:
                continue
            functions.add(f"{path}:{name}")
            where = name or path
            had, has = (Counter(_parts(nodes)) for nodes in (before, now))
            parts.update({Part(*part, where, 1): count for part, count in (has - had).items()})
            parts.update({Part(*part, where, -1): count for part, count in (had - has).items()})
    return Profile(frozenset(functions), parts)


def distance(candidate: Profile, other: Profile) -> Distance:
    """Return the difference between a candidate and another patch of the same vulnerability."""
    lacks, adds = other.parts - candidate.parts, candidate.parts - other.parts
    shared = candidate.parts & other.parts
    vector = [
        len(candidate.functions & other.functions),
        len(other.functions - candidate.functions),
        len(candidate.functions - other.functions),
        float(candidate.parts == other.parts),
    ]
    sums = [_by_kind(side) for side in (shared, lacks, adds)]
    for kind in KINDS:
        both, lacked, added = (side[kind] for side in sums)
        whole = both + lacked + added
        vector += [both, lacked, added, both / whole if whole else 1.0]
    return Distance(_told(lacks), _told(adds), np.array(vector, dtype=np.float64))


def _by_kind(parts: Counter[Part]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for part, count in parts.items():
        sums[part.kind] += count
    return sums


def _told(parts: Counter[Part]) -> tuple[Part, ...]:
    spoken = [part for part in parts if part.kind != "shape"]
    return tuple(sorted(spoken, key=lambda part: (KINDS.index(part.kind), part.where, part.text)))


@lru_cache(maxsize=64)
def _units(text: str) -> dict[str, tuple[ast.stmt, ...]]:
    """Return the statements of a source, grouped by the function or class that holds them.

    The keys are qualified names, "" for the module. The name of a function has its definition, or several if
    the source defines it more than once.
    """
    tree = parsed(text)
    units: dict[str, list[ast.stmt]] = {}
    if tree is not None:
        _collect(tree.body, "", units)
    return {name: tuple(nodes) for name, nodes in units.items()}


def _collect(body: list[ast.stmt], name: str, units: dict[str, list[ast.stmt]]) -> None:
    for node in body:
        inner = f"{name}.{getattr(node, 'name', '')}".lstrip(".")
        if isinstance(node, Definition):
            units.setdefault(inner, []).append(node)
        elif isinstance(node, ast.ClassDef):
            _collect(node.body, inner, units)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            units.setdefault(name, []).append(node)


def _parts(nodes: tuple[ast.stmt, ...]) -> Iterator[tuple[str, str]]:
    """Yield ``kind`` and ``text`` of a :class:`Part`, for each part of the statements ``nodes``."""
    for top in nodes:
        numbers: dict[str, int] = {}
        if isinstance(top, Definition):
            yield from (("guard", said(guard.test)[:_MAX_TEXT]) for guard in guards(top))
        yield from (("call", name) for name, _ in calls(top))
        documented = {id(node.value) for node in ast.walk(top) if isinstance(node, ast.Expr)}
        for node in ast.walk(top):
            if isinstance(node, ast.Constant) and id(node) in documented:
                continue
            if isinstance(node, ast.stmt) and not isinstance(node, Definition | ast.ClassDef):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    continue
                head = _head(node)
                yield "statement", said(head)[:_MAX_TEXT]
                yield "shape", _shape(head, numbers)
            elif (
                isinstance(node, ast.Constant) and node.value is not None and not isinstance(node.value, bool)
            ):
                yield "constant", repr(node.value)[:_MAX_TEXT]
            elif isinstance(node, ast.operator | ast.boolop | ast.cmpop | ast.unaryop):
                yield "operator", type(node).__name__


def _head(node: ast.stmt) -> ast.AST:
    # Patches are compared by the heads of compound statements, without their bodies.
    match node:
        case ast.If(test=test) | ast.While(test=test):
            return test
        case ast.For(iter=value) | ast.AsyncFor(iter=value):
            return value
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return items[0].context_expr
        case ast.Try() | ast.TryStar():
            return ast.Constant("try")
        case ast.Match(subject=subject):
            return subject
    return node


def _shape(head: ast.AST, numbers: dict[str, int]) -> str:
    said_as = [type(head).__name__]
    for node in ast.walk(head):
        if isinstance(node, ast.Name):
            said_as.append(f"v{numbers.setdefault(node.id, len(numbers))}")
        elif isinstance(node, ast.Attribute):
            said_as.append(f".{node.attr}")
        elif isinstance(node, ast.Constant):
            said_as.append(repr(node.value)[:_MAX_TEXT])
        else:
            said_as.append(type(node).__name__)
    return " ".join(said_as)[: 4 * _MAX_TEXT]
