"""Static analysis: does a patch add code that reaches into the interpreter or deceives the referee?

The analysis looks at the possible values of an expression, not at its spelling. It follows values through
names, attributes, parameters, results, containers and computed text (see :mod:`.flow`). A text constant alone
is data: a list of forbidden names does no harm until one of them is passed to ``getattr``. Honest fixes use
none of the constructs that are refused here.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache, partial
from itertools import pairwise
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
    REEXPORTED,
    TYPE_TESTS,
)
from crisol.wargaming.values import elements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

__all__ = ["Findings", "findings", "tree_or_reason"]

_DEPTH = 3
"""Levels of containers in containers in which base classes are found."""
_MOST_COMPARED = 1 << 22
"""The most pairs of lines that are compared; beyond it every line of the changed part counts as new."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Constructs of one patched file that could deceive the referee; each is named by a short text.

    - ``refused``: constructs that the patch adds and that count as tampering.
    - ``dropped``: constructs that the patch removes and that would count as tampering if it added them.
    - ``noted``: constructs that the patch adds and that may be harmless, such as reading the clock or
      changing a list of the module. Some of these names make a wargame run more scripts, see
      :func:`.again.again`.
    - ``types``: the variables of the file that hold a forbidden type, such as ``types.CodeType``. The file
      uses them harmlessly, only to test values (as in ``isinstance``), but another file could use them
      otherwise.
    - ``read``: the names that the added lines read from other files of the program.
    """

    refused: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


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
        tuple(sorted(old.taken - new.taken)),
        tuple(sorted(new.looked - old.looked)),
        tuple(sorted(new.types)),
        tuple(sorted(new.read)),
    )


def _changed_lines(before: str, after: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers, from 1, of the lines only in ``before``, then of the lines only in ``after``."""
    old, new = _lines(before), _lines(after)
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


def _lines(text: str) -> list[str]:
    r"""Return the lines of a source as Python counts them.

    Python ends a line at ``\n``, ``\r\n`` and ``\r`` alone, then decodes the text by its encoding, which may
    yield more line feeds.
    """
    content = text.encode(errors="surrogatepass").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding).split("\n")
    except (SyntaxError, ValueError, LookupError):  # nor does it parse
        return content.decode(errors="replace").split("\n")


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

    ``taken`` counts forbidden constructs in the changed lines, ``looked`` those that may be harmless.
    ``reached`` counts the forbidden attributes that calls such as ``getattr(x, name)`` in unchanged lines
    read, because a changed line may have set ``name``. ``types`` and ``read`` are those of :class:`Findings`.
    """

    taken: Counter[str]
    reached: Counter[str]
    looked: Counter[str]
    types: set[str]
    read: set[str]


def _capabilities(
    source: str, own: frozenset[str], lines: frozenset[int], habits: Callable[[], frozenset[str]]
) -> _Capabilities:
    """Count the constructs in the changed ``lines`` of a source that could deceive the referee.

    In unchanged lines only the attributes that calls access are counted. A source that does not parse has no
    constructs. ``own`` holds the top-level module names of the vulnerable program.
    """
    counted = taken, reached, looked, types, read = _Capabilities(
        Counter(), Counter(), Counter(), set(), set()
    )
    tree = tree_or_reason(source)
    if not isinstance(tree, ast.Module):
        return counted
    flow = _flow(source, own)
    excuses: Excuses | None = None
    derived: Counter[str] = Counter()
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
            read.update([value.text.rpartition(".")[2]] if value.kind == "own" else [])
            path = _public_name(value.text) if value.kind in {"outside", "own"} else ""
            if name := _capability(path, own=value.kind == "own"):
                excuses = excuses or Excuses(tree, flow, habits)
                counts = taken if f".{path}".endswith(f".{name}") else derived
                counts[name] += not excuses.cover(node, name)
                types |= excuses.types
            elif name := _tail(path, ASKED):
                looked[name] += 1
        taken.update(f"a change of {place}" for place in flow.replaced(node))
        taken.update(f"a change of {name}" for name in flow.assigned(node) if name in ANSWERS | TYPE_TESTS)
        taken.update(_pretending(node, flow, lines))
        looked.update(_kept(node, flow))
        match node:
            case ast.FunctionDef(name="__del__" | "__mro_entries__" as name):
                taken[name] += 1
            case ast.Name(id="__file__" as name):
                looked[name] += 1
            case ast.Name(id="__builtins__" | "__loader__" | "__spec__" as name):
                taken[name] += 1
            case ast.Constant() | ast.BinOp() | ast.JoinedStr() | ast.Call():
                texts = [value.text for value in flow.values(node) if value.kind == "text"]
                taken["/proc"] += any(text.startswith("/proc/") for text in texts)
                looked.update(text for text in texts if f"{text}/".startswith(PLACES))
    # Another spelling, such as .get(name) for [name], derives as many values as it likes from one use.
    taken.update({name: count for name, count in derived.items() if not taken[name]})
    return counted


@lru_cache(maxsize=4)
def _flow(text: str, own: frozenset[str]) -> Flow:
    tree = tree_or_reason(text)
    assert isinstance(tree, ast.Module)
    return Flow(tree, own)


def _habits(text: str, own: frozenset[str]) -> frozenset[str]:
    tree = tree_or_reason(text)
    return habits_of(tree, _flow(text, own)) if isinstance(tree, ast.Module) else frozenset()


def _public_name(name: str) -> str:
    # os.x for posix.x
    module, dot, rest = name.partition(".")
    return f"{IMPLEMENTED_BY.get(module, module)}{dot}{rest}"


def _capability(path: str, *, own: bool) -> str:
    """Return the forbidden module or function that the dotted name ``path`` contains; "" for none.

    For ``pathlib.sys.exit`` that is ``sys.exit``. ``own`` says that the path begins with a module of the
    vulnerable program, which may have the name of a forbidden one.
    """
    parts = path.split(".")
    for module in ("" if own else parts[0], *map(".".join, pairwise(parts))):
        if module in MODULES:
            return module
    # The result of eval and the like is another object than the function.
    if tail := _tail(path, CALLS, CALLS - EXECUTES):
        return tail
    # os.sys, pathlib.sys and the like are the same modules.
    return next((part for part in parts[1:] if part in REEXPORTED - ({"__main__"} if own else set())), "")


def _tail(path: str, names: Collection[str], whole: Collection[str] | None = None) -> str:
    """Return a known name of two or three parts at the end of ``path``, or at its beginning; "" for none.

    ``names`` are the known names. At the beginning those in ``whole`` are known instead, unless it is None.
    ``shutil.os.environ`` ends with ``os.environ``, and ``os.environ.get`` begins with it.
    """
    parts = path.split(".")
    for length in (3, 2):
        if len(parts) >= length and (tail := ".".join(parts[-length:])) in names:
            return tail
    heads = (".".join(parts[:at]) for at in (2, 3))
    return next((head for head in heads if head in (names if whole is None else whole)), "")


def _kept(node: ast.AST, flow: Flow) -> list[str]:
    """Return a message like ``state SEEN`` for each variable in which ``node`` keeps state across calls."""
    # Only common ways are recognised; that is enough, because no verdict depends on the messages.
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


def _pretending(node: ast.AST, flow: Flow, lines: frozenset[int]) -> list[str]:
    """Return messages like ``a str that answers __eq__`` about a class whose objects could equal everything.

    ``node`` is the class, or the call of ``type`` that makes it; other nodes have no messages. ``lines`` are
    the numbers of the lines that the patch adds.
    """
    match node:
        case ast.ClassDef():
            answered = [(name, line) for name, line in _bound(node.body) if name in ANSWERS]
            bases = _ancestors(node.bases, flow) if node.lineno in lines else list(node.bases)
            if any(line in lines for _, line in answered):
                bases += _bases_of_subclasses(node.name, flow)
            return _answering(min((name for name, _ in answered), default=""), bases, flow)
        case ast.Call(args=[_, *_, bases, namespace]):
            names = _keys(namespace, flow)
        case ast.Call(args=[*_, ast.Starred(value=bases)]):
            names = None
        case _:
            return []
    if names is None:
        makers = {value.text for value in flow.values(node.func)}
        unknown = any(
            f"{maker}.".startswith("builtins.type.") or maker.endswith(".__class__") for maker in makers
        )
        names = ANSWERS if unknown else frozenset()
    parts = bases.elts if isinstance(bases, ast.Tuple) else [bases]
    return _answering(min(names & ANSWERS, default=""), parts, flow)


def _keys(node: ast.expr, flow: Flow) -> frozenset[str] | None:
    match node:
        case ast.Dict(keys=keys) if None not in keys:
            return frozenset(value.text for key in keys for value in flow.values(key) if value.kind == "text")
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            names = frozenset(keyword.arg for keyword in keywords if keyword.arg)
            return names if len(names) == len(keywords) else None
    return None


def _answering(method: str, bases: Sequence[ast.expr], flow: Flow) -> list[str]:
    """Return a message for each plain type, such as ``str``, in ``bases`` of a class that has ``method``."""
    if not method:
        return []
    kinds: set[str] = set()
    for base in bases:
        values = held = flow.values(base)
        for _ in range(_DEPTH):
            held = held | elements(held)
        kinds |= {value.text.removeprefix("builtins.") for value in held if value.kind == "outside"} & PLAIN
        match base:
            case ast.Call(func=ast.Name(id="type")) | ast.Attribute(attr="__class__") if not values:
                kinds.add("value of an unknown type")
    return [f"a {kind} that answers {method}" for kind in sorted(kinds)]


def _bound(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Yield each name that a class body binds, with its line number.

    Bodies of inner functions, classes and lambdas are left out; their decorators, defaults, annotations and
    base classes belong to the class body.
    """
    pending: list[ast.AST] = list(body)
    while pending:
        match node := pending.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
                pending += {*ast.iter_child_nodes(node)} - {*node.body}
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno
            case ast.alias(name=name, asname=asname):
                yield asname or name, node.lineno
            case ast.Lambda():
                pending.append(node.args)
            case _:
                pending += ast.iter_child_nodes(node)


def _ancestors(bases: Sequence[ast.expr], flow: Flow) -> list[ast.expr]:
    """Return the direct and indirect base classes of a class, as expressions.

    Indirect ones are found only through classes that the file itself defines.
    """
    reached: dict[ast.expr, None] = {}
    pending = list(bases)
    while pending:
        base = pending.pop()
        if base not in reached:
            reached[base] = None
            pending += flow.classes.get(base.id, []) if isinstance(base, ast.Name) else []
    return list(reached)


def _bases_of_subclasses(name: str, flow: Flow) -> list[ast.expr]:
    inherited = [_ancestors(bases, flow) for bases in flow.classes.values()]
    return [
        base
        for bases in inherited
        if any(isinstance(above, ast.Name) and above.id == name for above in bases)
        for base in bases
    ]
