"""Find code that keeps state between calls, or that finds out its caller, in a patched Python file.

The search is generous. A module's variable that may change counts as state wherever a patch newly uses it,
unless the use only reads it, as ``key in TABLE`` does. A report costs a patch the long life of the process,
see :mod:`.again`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from crisol.wargaming.suspects import CALLERS, KEEPING, WRITING

if TYPE_CHECKING:
    from crisol.wargaming.flow import Flow

__all__ = ["States"]

_FIXED = (
    "re.compile", "builtins.frozenset", "builtins.str", "builtins.bytes", "builtins.int", "builtins.float",
    "builtins.bool", "builtins.tuple", "builtins.object", "builtins.range", "builtins.len", "builtins.min",
    "builtins.max", "builtins.sum", "builtins.getattr", "builtins.type", "builtins.property",
    "collections.namedtuple", "typing.", "operator.", "struct.", "decimal.Decimal", "fractions.Fraction",
    "logging.getLogger", "datetime.", "enum.", "os.path.", "os.environ.get", "os.getenv", "urllib.parse.",
    "ipaddress.", "threading.Lock", "threading.RLock", "builtins.chr",
)  # fmt: skip
"""Prefixes of the callables that return immutable objects, or objects that tell nothing of earlier calls."""
_ONLY_READ = frozenset({
    "builtins.len", "builtins.isinstance", "builtins.issubclass", "builtins.any", "builtins.all",
    "builtins.sorted", "builtins.set", "builtins.list", "builtins.tuple", "builtins.dict",
    "builtins.frozenset", "builtins.str", "builtins.repr", "builtins.min", "builtins.max", "builtins.sum",
    "builtins.enumerate", "builtins.reversed", "builtins.hasattr", "builtins.bool",
})  # fmt: skip
"""Functions that do not change the container that they are given."""
_READING = frozenset({
    "get", "items", "keys", "values", "copy", "index", "count", "match", "search", "fullmatch", "findall",
    "finditer", "sub", "subn", "split", "format", "startswith", "endswith", "encode", "decode", "lower",
    "upper", "strip", "lstrip", "rstrip", "replace", "translate", "isdisjoint", "issubset", "issuperset",
    "union", "intersection", "difference", "debug", "info", "warning", "error", "exception", "critical",
})  # fmt: skip
"""Methods that do not change their object."""
_PLAIN_NAMES = frozenset({
    "__name__", "__all__", "__doc__", "__version__", "__author__", "__file__", "__package__", "__debug__",
    "__slots__", "__class__", "__hash__", "__eq__", "__repr__", "__str__", "__tablename__", "__credits__",
})  # fmt: skip
"""Names with two underscores that hold nothing between calls."""
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


class States:
    """Tells how the nodes of a file keep state between calls, or find out their caller.

    ``tree`` is the syntax tree of the file, ``flow`` the possible values of its expressions.
    """

    def __init__(self, tree: ast.Module, flow: Flow) -> None:
        self._flow = flow
        self._shared = frozenset(_bound(tree.body))
        given = list(_given(tree.body))
        self._containers = frozenset(name for name, value in given if isinstance(value, _DISPLAYS))
        self._variables = self._containers | {name for name, value in given if self._may_change(value)}
        self._of_classes = frozenset(
            name
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for name, value in _given(node.body)
            if isinstance(value, _DISPLAYS) or self._may_change(value)
        )
        self._reads = {id(name) for node in flow.nodes for name in self._only_read(node)}

    def of(self, node: ast.AST) -> list[str]:
        """Return messages on how ``node`` keeps state or finds out its caller, such as ``state SEEN``.

        The list is empty if it does neither. State is kept in a global, a container, an iterator, an
        attribute, a default value, a variable of an enclosing function, or a file. The nodes inside ``node``
        are not examined.
        """
        return self._changed(node) or self._asked(node)

    def _asked(self, node: ast.AST) -> list[str]:
        """Return messages on how ``node`` asks for what earlier calls left, by a name that reaches it."""
        match node:
            case ast.Name(id=name) if name.startswith("__") and name not in _PLAIN_NAMES:
                return [f"state {name}"]
            case ast.Attribute(attr="cache_info" | "cache_parameters" as name):
                return [f"state {name}"]
            case ast.Call(
                func=ast.Name(id="getattr"), args=[ast.Name(id=name), ast.Constant(value=str(text)), *_]
            ) if name in self._shared and text.startswith("__"):
                return [f"state {name}"]
        return []

    def _changed(self, node: ast.AST) -> list[str]:  # noqa: PLR0911 - one arm for each way
        """Return messages on how ``node`` changes something that outlives a call, or names the caller."""
        match node:
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                return [f"state {name}" for name in names]
            case ast.Name(id=name, ctx=ast.Load()) if name in self._variables and id(node) not in self._reads:
                return [f"state {name}"]
            case ast.Attribute(value=base, attr=method, ctx=ast.Load()) if method in KEEPING and (
                held := self._kept(base)
            ):
                return [f"state {held}"]
            case ast.Attribute(value=base, attr=name, ctx=ast.Store() | ast.Del()) if self._is_shared(base):
                return [f"state .{name}"]
            case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()) if held := (
                self._kept(base) or self._outside(base)
            ):
                return [f"state {held}"]
            case ast.AugAssign(target=ast.Attribute(attr=name)):
                return [f"state .{name}"]
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if _reads(value, name):
                return [f"state .{name}"]
            case ast.Call(func=ast.Name(id="setattr"), args=[base, *_]) if self._is_shared(base):
                return ["state of an attribute"]
            case ast.Call(func=ast.Attribute(attr=name)) if name in WRITING:
                return ["state on disk"]
            case (
                ast.Call(func=ast.Name(id="open"), args=[_, mode, *_])
                | ast.Call(func=ast.Attribute(attr="open"), args=[mode, *_])
            ) if _writes(mode):
                return ["state on disk"]
            case ast.Call(keywords=keywords) if told := [
                word.arg
                for word in keywords
                if word.arg in CALLERS or (word.arg == "mode" and _writes(word.value))
            ]:
                return ["state on disk" if word == "mode" else str(word) for word in told]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = (*node.args.defaults, *node.args.kw_defaults)
            return [
                "state of a default"
                for default in defaults
                if default is not None
                and any(
                    isinstance(part, _DISPLAYS) or (isinstance(part, ast.expr) and self._may_change(part))
                    for part in ast.walk(default)
                )
            ]
        return []

    def _may_change(self, value: ast.expr) -> bool:
        """Return whether ``value`` is the result of a call, or a generator, that later calls may change."""
        if isinstance(value, ast.GeneratorExp):
            return True
        if not isinstance(value, ast.Call):
            return False
        made = {held.text for held in self._flow.values(value.func) if held.kind == "outside"}
        return not made or not all(text.startswith(_FIXED) for text in made)

    def _only_read(self, node: ast.AST) -> Iterator[ast.expr]:  # noqa: PLR0912 - one arm a kind
        """Yield the parts of ``node`` that it only reads: the right side of ``in``, for example."""
        match node:
            case ast.Subscript(value=value):
                yield from self._container(value)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                yield from (item.context_expr for item in items)
            case ast.Attribute(value=value, attr=name):
                if name in _READING or (isinstance(value, ast.Name) and value.id in self._containers):
                    yield value  # the attribute itself is examined in its turn
            case ast.Compare(left=left, comparators=others):
                yield from (value for side in (left, *others) for value in self._container(side))
            case ast.For(iter=value) | ast.comprehension(iter=value):
                yield from self._container(value)
            case (
                ast.ListComp(generators=parts)
                | ast.SetComp(generators=parts)
                | ast.GeneratorExp(generators=parts)
            ):
                yield from (value for part in parts for value in self._container(part.iter))
            case ast.DictComp(generators=parts):
                yield from (value for part in parts for value in self._container(part.iter))
            case ast.BinOp(left=left, right=right):
                yield from (value for side in (left, right) for value in self._container(side))
            case ast.Starred(value=value):
                yield from self._container(value)
            case ast.Call(func=function, args=args):
                if not isinstance(function, ast.Name):
                    yield function
                path = {held.text for held in self._flow.values(function)}
                joins = isinstance(function, ast.Attribute) and function.attr == "join"
                if joins or (path and path <= _ONLY_READ):
                    yield from (value for arg in args for value in self._container(arg))

    def _container(self, value: ast.expr) -> Iterator[ast.expr]:
        """Yield ``value`` if it names a container; an iterator changes where it is read."""
        if isinstance(value, ast.Name) and value.id in self._containers:
            yield value

    def _kept(self, base: ast.expr) -> str:
        """Return the name of the object that outlives a call and that ``base`` is a part of; "" for none."""
        at: ast.expr = base
        while isinstance(at, ast.Attribute | ast.Subscript | ast.Call):
            if isinstance(at, ast.Attribute) and at.attr in self._of_classes:
                return at.attr
            at = at.func if isinstance(at, ast.Call) else at.value
        if not isinstance(at, ast.Name) or any(
            held.text in sys.stdlib_module_names for held in self._flow.values(at)
        ):
            return ""
        return at.id if at.id in self._shared or self._flow.is_free(at) else ""

    def _outside(self, base: ast.expr) -> str:
        """Return the dotted name of the library object that ``base`` is, such as ``os.environ``; or ""."""
        return next((held.text for held in self._flow.values(base) if held.kind == "outside"), "")

    def _is_shared(self, base: ast.expr) -> bool:
        """Return whether ``base`` is a class, a function, a module or a variable that outlives a call."""
        match base:
            case ast.Name(id="cls" | "type") | ast.Attribute(attr="__class__"):
                return True
            case ast.Call(func=ast.Name(id="type")):
                return True
        return bool(self._kept(base))


def _given(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield (name, value) for each variable that statements assign."""
    for node in body:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    match target, value:
                        case ast.Name(id=name), _:
                            yield name, value
                        case (
                            (ast.Tuple(elts=names) | ast.List(elts=names)),
                            (ast.Tuple(elts=values) | ast.List(elts=values)),
                        ) if len(names) == len(values):
                            yield from (
                                (part.id, held)
                                for part, held in zip(names, values, strict=True)
                                if isinstance(part, ast.Name)
                            )
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names of functions, classes, variables and imports among the statements of a module."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in names)
            case ast.If() | ast.Try() | ast.With():
                inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
                yield from _bound(inner)
                for handler in getattr(node, "handlers", []):
                    yield from _bound(handler.body)
            case ast.Assign(targets=targets):
                for target in targets:
                    yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _reads(value: ast.expr, attribute: str) -> bool:
    """Return whether an expression reads an attribute, by its name or by a text."""
    parts = tuple(ast.walk(value))
    return attribute in {part.attr for part in parts if isinstance(part, ast.Attribute)} or attribute in {
        part.value for part in parts if isinstance(part, ast.Constant)
    }


def _writes(mode: ast.expr) -> bool:
    """Return whether a file that is opened in ``mode`` may be written; an unknown mode may write."""
    if isinstance(mode, ast.Constant):
        return isinstance(mode.value, str) and bool(set(mode.value) & set("wax+"))
    return True
