"""Static analysis: does a patch add code that reaches into the interpreter or deceives the referee?

The analysis looks at the possible values of an expression, not at its spelling. It follows values through
names, attributes, parameters, results, containers and computed text (see :mod:`.flow`). A text constant alone
is data: a list of forbidden names does no harm until one of them is passed to ``getattr``. Honest fixes use
none of the constructs that are refused here.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from crisol.wargaming.excused import EXECUTES, Excuses, habits_of
from crisol.wargaming.flow import Flow
from crisol.wargaming.suspects import (
    ANSWERS,
    ASKED,
    CALLS,
    IMPLEMENTED_BY,
    INSIDE,
    KEEPING,
    MODULES,
    PLACES,
    PLAIN,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Findings", "findings", "tree_or_reason"]

_MOST_COMPARED = 1 << 22
"""The most pairs of lines that are compared; beyond it every line of the changed part counts as new."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Constructs that could deceive the referee and that a patch adds to a file or removes, as short texts.

    ``refused`` lists added constructs that count as tampering. ``dropped`` lists removed constructs that
    would count as tampering if they were added. ``noted`` lists added constructs that may be harmless, such
    as reading the clock or changing a list of the module. Some names in ``noted`` make a wargame run more
    scripts, see :func:`.again.again`.
    """

    refused: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


def findings(before: str, after: str, own: frozenset[str] = frozenset()) -> Findings:
    """Return the suspicious constructs that a patch adds to a file.

    ``before`` and ``after`` are the texts of the unpatched and the patched file. A construct is added if it
    occurs more often in ``after``. A text that does not parse has none. ``own`` holds the top-level module
    names of the vulnerable program, whose objects a patch may change freely.
    """
    gone, come = _changed_lines(before, after)
    habits = cache(partial(_habits, before, own))
    old, new = _capabilities(before, own, gone, habits), _capabilities(after, own, come, habits)
    return Findings(
        tuple(sorted(new.taken + new.reached - old.taken - old.reached)),
        tuple(sorted(+old.taken)),
        tuple(sorted(new.looked - old.looked)),
    )


def _changed_lines(before: str, after: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers, from 1, of the lines only in ``before``, then of the lines only in ``after``."""
    old, new = before.splitlines(), after.splitlines()
    first = next(
        (at for at, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), min(len(old), len(new))
    )
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    left, right = old[first : len(old) - last], new[first : len(new) - last]
    gone, come = set(range(len(left))), set(range(len(right)))
    if len(left) * len(right) < _MOST_COMPARED:
        for start, other, size in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
            gone.difference_update(range(start, start + size))
            come.difference_update(range(other, other + size))
    return frozenset(at + first + 1 for at in gone), frozenset(at + first + 1 for at in come)


@lru_cache(maxsize=4)
def tree_or_reason(text: str) -> ast.Module | str:
    """Return the syntax tree of a Python source, or a sentence that says why it does not parse.

    The text is encoded in UTF-8 and parsed as a file with these bytes. If a comment in the first two lines
    declares another encoding, Python decodes the bytes by that one, so characters beyond ASCII change. An
    unknown encoding does not parse.
    """
    try:
        return ast.parse(text.encode())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__


class _Capabilities(NamedTuple):
    """Three counts, by name, of the constructs in one version of a file that could deceive the referee.

    ``taken`` counts forbidden constructs in the changed lines. ``looked`` counts constructs in the changed
    lines that may be harmless. ``reached`` counts the forbidden attributes that calls in unchanged lines
    read. Such a call is ``getattr(x, name)``, for which a changed line may have set ``name``.
    """

    taken: Counter[str]
    reached: Counter[str]
    looked: Counter[str]


def _capabilities(
    source: str, own: frozenset[str], lines: frozenset[int], habits: Callable[[], frozenset[str]]
) -> _Capabilities:
    """Count the constructs that could deceive the referee, in the changed lines of a source.

    In unchanged lines only the attributes that a call accesses are counted. ``lines`` are the numbers of the
    changed lines, from 1. ``own`` holds the top-level module names of the vulnerable program. ``habits``
    returns the result of :func:`.excused.habits_of` for the unpatched file. For a source that does not parse,
    the counters are empty.
    """
    counted = taken, reached, looked = _Capabilities(Counter(), Counter(), Counter())
    tree = tree_or_reason(source)
    if not isinstance(tree, ast.Module):
        return counted
    flow = _flow(source, own)
    excuses: Excuses | None = None
    first_line, last_line = min(lines, default=1), max(lines, default=0)
    for node in flow.nodes:
        first, end = node.lineno, node.end_lineno or node.lineno
        changed = first in lines or (
            first <= last_line
            and end >= first_line
            and end > first
            and not lines.isdisjoint(range(first, end + 1))
        )
        if not changed:
            if type(node) is ast.Call and node.args:
                reached.update(name for name in flow.attributes(node) if name in INSIDE)
            continue
        taken.update(name for name in flow.attributes(node) if name in INSIDE)
        for value in flow.used(node):
            path = _public(value.text) if value.kind == "outside" else ""
            if name := _capability(path):
                excuses = excuses or Excuses(tree, flow, habits)
                taken[name] += not excuses.cover(node, name)
            elif name := _tail(path, ASKED):
                looked[name] += 1
        taken.update(f"a change of {place}" for place in flow.replaced(node))
        looked.update(_kept(node, flow))
        match node:
            case ast.ClassDef() | ast.Call(func=ast.Name(id="type")):
                taken.update(_pretending(node, flow, new=first in lines))
            case ast.FunctionDef(name="__del__"):
                taken["__del__"] += 1
            case ast.Name(id="__file__" as name):
                looked[name] += 1
            case ast.Name(id="__builtins__" | "__loader__" | "__spec__" as name):
                taken[name] += 1
            case ast.Constant() | ast.BinOp() | ast.JoinedStr() | ast.Call():
                texts = [value.text for value in flow.values(node) if value.kind == "text"]
                taken["/proc"] += any(text.startswith("/proc/") for text in texts)
                looked.update(text for text in texts if f"{text}/".startswith(PLACES))
    return counted


@lru_cache(maxsize=4)
def _flow(text: str, own: frozenset[str]) -> Flow:
    tree = tree_or_reason(text)
    assert isinstance(tree, ast.Module)
    return Flow(tree, own)


def _habits(text: str, own: frozenset[str]) -> frozenset[str]:
    tree = tree_or_reason(text)
    return habits_of(tree, _flow(text, own)) if isinstance(tree, ast.Module) else frozenset()


def _public(path: str) -> str:
    """Return the dotted name ``path`` with its public module, such as ``os.x`` for ``posix.x``."""
    module, dot, rest = path.partition(".")
    return f"{IMPLEMENTED_BY.get(module, module)}{dot}{rest}"


def _capability(path: str) -> str:
    """Return the forbidden module or function that the dotted name ``path`` contains; "" for none.

    ``gc.collect`` gives ``gc``, and ``pathlib.sys.exit`` gives ``sys.exit``.
    """
    parts = path.split(".")
    for module in (parts[0], ".".join(parts[:2])):
        if module in MODULES:
            return module
    # The result of eval and the like is another object than the function.
    if tail := _tail(path, CALLS, CALLS - EXECUTES):
        return tail
    # os.sys, pathlib.sys and the like are the same modules.
    return next((part for part in parts[1:] if part in {"gc", "ctypes", "__main__", "_thread"}), "")


def _tail(path: str, names: Collection[str], whole: Collection[str] | None = None) -> str:
    """Find a known name at the end of the dotted name ``path``, or else at its beginning; "" if none.

    Only names of two or three parts are found. At the end they must be in ``names``, at the beginning in
    ``whole``, or in ``names`` if ``whole`` is None. If ``os.environ`` is in both, it is the result for
    ``shutil.os.environ`` (end) and for ``os.environ.get`` (beginning).
    """
    parts = path.split(".")
    for length in (3, 2):
        if len(parts) >= length and (tail := ".".join(parts[-length:])) in names:
            return tail
    heads = (".".join(parts[:at]) for at in (2, 3))
    return next((head for head in heads if head in (names if whole is None else whole)), "")


def _kept(node: ast.AST, flow: Flow) -> list[str]:
    """Return a message, such as ``state SEEN``, for each variable in which ``node`` keeps state across calls.

    The list is empty if there is none. Only common ways are recognised, such as ``global`` and
    ``SEEN.append``; that is enough, because no verdict depends on the messages.
    """
    match node:
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return [f"state {name}" for name in names]
        case (
            ast.Subscript(value=ast.Name() as base, ctx=ast.Store() | ast.Del())
            | ast.Attribute(value=ast.Name() as base, ctx=ast.Store() | ast.Del())
        ) if flow.outlives_a_call(base):
            return [f"state {base.id}"]
        case ast.Call(func=ast.Attribute(value=ast.Name() as base, attr=method)) if (
            method in KEEPING and flow.outlives_a_call(base)
        ):
            return [f"state {base.id}"]
    return []


def _pretending(node: ast.ClassDef | ast.Call, flow: Flow, *, new: bool) -> list[str]:
    """Return messages about a suspicious class, such as ``a str that answers __eq__``.

    A class is suspicious if its objects could equal everything: it defines one of the methods
    :data:`ANSWERS`, such as ``__eq__``, and one of its base classes is a plain type, such as ``str``, or
    ``type(...)`` of an unknown value. There is one message for each base class of that kind. For a
    class that is not suspicious the list is empty. ``node`` is the class, or the call of ``type`` that makes
    it. ``flow`` has the possible values of the file's expressions. ``new`` says that the patch adds the
    class; then indirect base classes are examined, too, see :func:`_ancestors`.
    """
    match node:
        case ast.ClassDef(bases=bases, body=body):
            names = {method.name for method in body if isinstance(method, ast.FunctionDef)}
        case ast.Call(func=ast.Name(id="type"), args=[_, ast.Tuple(elts=bases), ast.Dict(keys=keys)]):
            names = {value.text for key in keys for value in flow.values(key) if value.kind == "text"}
        case _:
            return []
    if not (answered := names & ANSWERS):
        return []
    if new:
        bases = _ancestors(bases, flow)
    held = {base: flow.values(base) for base in bases}
    types = {
        value.text.removeprefix("builtins.")
        for values in held.values()
        for value in values
        if value.kind == "outside"
    }
    unknown = {
        "value of an unknown type"
        for base, values in held.items()
        if not values and isinstance(base, ast.Call) and ast.unparse(base.func) == "type"
    }
    return [f"a {name} that answers {min(answered)}" for name in sorted(types & PLAIN | unknown)]


def _ancestors(bases: list[ast.expr], flow: Flow) -> list[ast.expr]:
    """Return the direct and indirect base classes of a class, as expressions.

    ``bases`` are the direct ones. Indirect ones are found only through classes that the file itself defines.
    """
    classes = {node.name: node.bases for node in flow.nodes if isinstance(node, ast.ClassDef)}
    reached: dict[ast.expr, None] = {}
    pending = list(bases)
    while pending:
        base = pending.pop()
        if base not in reached:
            reached[base] = None
            pending += classes.get(base.id, []) if isinstance(base, ast.Name) else []
    return list(reached)
