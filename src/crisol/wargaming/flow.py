"""Find the possible values of the expressions in a Python file by abstract interpretation.

The order of statements is ignored. A name, attribute, parameter or result has every value that the file
assigns to it anywhere (:mod:`.bindings`). Text that is built from constants is computed (:mod:`.values`). Of
a value that comes from outside the file at most the dotted name is known, so the static gate may miss a
construct that it would refuse.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import operator
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from crisol.wargaming.bindings import Bindings, Place
from crisol.wargaming.values import (
    DECODERS,
    LONGEST,
    MOST,
    TEXT_METHODS,
    Value,
    by_decoder,
    by_method,
    class_of,
    elements,
    fields,
    inside,
    integer,
    is_dictionary,
    joined,
    texts,
    worked,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Flow"]

_SETTERS = frozenset({
    "setattr", "delattr", "object.__setattr__", "type.__setattr__", "type.__delattr__", "object.__delattr__",
})  # fmt: skip

_SAME = frozenset({
    "str", "bytes", "iter", "list", "tuple", "set", "reversed", "sorted", "enumerate", "functools.partial",
    "copy.copy", "copy.deepcopy",
})  # fmt: skip
"""Functions whose result has the values of their first argument: a copy of a function is that function."""
_FORMATS = frozenset({"format", "format_map", "get_field", "vformat"})
"""Methods whose first argument may be a format string."""
_LOOKUPS = frozenset({"get", "pop", "__getitem__", "setdefault"})
"""Methods of a dictionary that return the value of a key."""
_DEPTH = 4
"""Levels of containers in containers that an unpacking is followed into."""


class Flow:
    """The possible values of the expressions in a Python file, found without running it.

    ``tree`` is the syntax tree of the file. ``own`` holds the top-level module names of the vulnerable
    program. Of a value that comes from such a module, only the dotted name is known. The method is abstract
    interpretation; a value is computed when it is asked for.
    """

    def __init__(self, tree: ast.Module, own: frozenset[str]) -> None:
        self._own = own
        self._bindings = Bindings(tree, own)
        self._memo: dict[ast.AST | Place, set[Value]] = {}

    @property
    def nodes(self) -> Sequence[ast.expr | ast.stmt]:
        """All expressions and statements of the file, nested ones included, as nodes of :mod:`ast`."""
        return self._bindings.nodes

    @cached_property
    def classes(self) -> dict[str, list[ast.expr]]:
        """The base classes of each class of the file by its name, as expressions."""
        classes: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).extend(node.bases)
        return classes

    def binds(self, name: str) -> bool:
        """Return whether the file binds ``name`` anywhere, in the module or in a function.

        These bind a name: an assignment, an import, a function or class definition, a parameter, a loop, a
        comprehension, ``with``, ``except`` and a pattern of ``match``.
        """
        return any(name in names for names in self._bindings.locals.values())

    def outlives_a_call(self, name: ast.Name) -> bool:
        """Return whether ``name`` is a variable of the module or of an enclosing function."""
        scope = self._bindings.scopes.get(name, (0,))
        place = self._bindings.place(name.id, scope)
        return place is not None and (place[0] == 0 or place[0] != scope[-1])

    def values(self, node: ast.expr | None) -> set[Value]:
        """Return the possible values of an expression; an empty set for None, or if they are unknown."""
        if node is None:
            return set()
        if node not in self._memo:
            self._memo[node] = set()  # what depends on itself adds nothing
            self._memo[node] = set(itertools.islice(self._evaluated(node), MOST))
        return self._memo[node]

    def _held(self, place: Place) -> set[Value]:
        if place in self._memo:
            return self._memo[place]
        # A place that depends on itself meets its own set, which is not complete yet.
        self._memo[place] = held = set()
        values: set[Value] = set()
        for way, given in self._bindings.places[place]:
            if isinstance(given, str):
                values.add(Value(way, given))
            elif way == "element":
                values |= elements(self.values(given))
            elif way == "inside":
                parts = self.values(given)
                for _ in range(_DEPTH):
                    parts = elements(parts)
                    values |= parts
            elif way == "container":
                values |= {inside(value) for value in self.values(given)}
            else:
                values |= self.values(given)
            if len(values) > MOST:
                break
        if place[0] > 0 and self._bindings.is_parameter(place):
            values |= self._handed_over(*place)
        held |= values
        return held

    def used(self, node: ast.AST) -> Iterator[Value]:
        """Yield the possible values of ``node`` if it is a read, a call or an import.

        A read is a name, an attribute or an item that is neither assigned nor deleted. The values of a call
        are those of its result, the values of an import are the imported objects. Any other node yields
        nothing. The nodes inside ``node`` are not examined.
        """
        match node:
            case ast.Import(names=names):
                yield from (self._module(alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                kind = "own" if level else self._module(module or "").kind
                yield from (Value(kind, f"{module or ''}.{alias.name}") for alias in names)
            case ast.Call():
                yield from self.values(node)
            case ast.Name(ctx=ctx) | ast.Attribute(ctx=ctx) | ast.Subscript(ctx=ctx):
                yield from self.values(node) if isinstance(ctx, ast.Load) else ()

    def _module(self, name: str) -> Value:
        return Value("own" if name.partition(".")[0] in self._own else "outside", name)

    def attributes(self, node: ast.AST) -> Iterator[str]:
        """Yield the names of the attributes that ``node`` itself reads, writes or imports.

        Uses through ``getattr``, ``__dict__`` or a format string are included. The nodes inside ``node`` are
        not examined.
        """
        match node:
            case ast.Attribute(value=base, attr=name):
                yield name
                if name in {"format", "format_map"}:
                    yield from (field for text in self._texts(base) for field in fields(text))
            case ast.MatchClass(kwd_attrs=names):
                yield from names
            case ast.Call():
                yield from self._named(node)
            case ast.Subscript(value=value, slice=index):
                if is_dictionary(value) or any(held.kind == "names" for held in self.values(value)):
                    yield from self._texts(index)
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names)

    def assigned(self, node: ast.AST) -> Iterator[str]:
        """Yield the names of the attributes that ``node`` itself sets or deletes, of any object.

        Uses through ``setattr`` and ``__dict__`` are included. The nodes inside ``node`` are not examined.
        """
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Subscript(value=base, slice=index, ctx=ast.Store() | ast.Del()) if is_dictionary(base):
                yield from self._texts(index)
            case ast.Call(func=ast.Attribute(value=base, attr="update"), args=args, keywords=keywords) if (
                is_dictionary(base)
            ):
                keys = [key for arg in args if isinstance(arg, ast.Dict) for key in arg.keys]
                yield from (text for key in keys for text in self._texts(key))
                yield from (keyword.arg for keyword in keywords if keyword.arg)
            case ast.Call(func=function, args=args):
                called = {value.text.removeprefix("builtins.") for value in self.values(function)}
                handed = {v.text.removeprefix("builtins.") for arg in args[:1] for v in self.values(arg)}
                if any(text in _SETTERS or text.endswith("__setattr__") for text in called | handed):
                    held = set().union(*map(self.values, args))
                    yield from texts(held | elements(held))

    def replaced(self, node: ast.AST) -> Iterator[str]:
        """Yield texts that name what ``node`` itself sets, replaces or deletes outside the file.

        A text is a dotted name, such as ``os.path.exists``, or a name with a key of its ``__dict__``, such as
        ``os[getenv]``. Several possible keys are joined by ``|``. In both forms, ``...`` stands for an
        unknown name. A change of a ``__class__`` and a call of a ``__setattr__`` count, too. The nodes inside
        ``node`` are not examined.
        """
        match node:
            case ast.Attribute(value=base, attr=name, ctx=ast.Store() | ast.Del()):
                if name == "__class__":
                    yield "__class__"
                yield from self._paths(base, [name])
            case ast.Subscript(value=base, slice=index, ctx=ast.Store() | ast.Del()):
                for value in self.values(base):
                    if value.kind == "names" or value.text.endswith("__dict__"):
                        yield f"{value.text}[{'|'.join(sorted(self._texts(index))) or '...'}]"
            case ast.Call(func=function, args=args):
                for value in self.values(function):
                    if value.kind != "outside":
                        continue
                    if value.text.removeprefix("builtins.") in _SETTERS and len(args) > 1:
                        yield from self._paths(args[0], self._texts(args[1]) or ["..."])
                    elif value.text.endswith("__setattr__") and args:
                        yield value.text
                if isinstance(function, ast.Attribute) and function.attr in {
                    "update",
                    "setdefault",
                    "pop",
                    "__setitem__",
                }:
                    yield from (held.text for held in self.values(function.value) if held.kind == "names")

    def _handed_over(self, number: int, name: str) -> set[Value]:
        """Return the possible values that calls in this file pass to the parameter ``name`` of a function.

        ``number`` is the function's number. For a function ``f``, each ``f(…)`` and ``x.f(…)`` counts,
        whatever ``x`` is.
        """
        function = self._bindings.functions[number]
        known_as = (
            self._bindings.known_as.get(number) or self._bindings.lambdas.get(function) or f"<{id(function)}>"
        )
        arguments = function.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        values: set[Value] = set()
        shifted = names[1:] if names[:1] in (["self"], ["cls"]) else names
        for call in self._bindings.calls[known_as][:MOST]:
            for at, value in enumerate(call.args):
                if at < len(shifted):
                    if shifted[at] == name:
                        values |= self.values(value)
                elif arguments.vararg and arguments.vararg.arg == name:
                    values |= {inside(element) for element in self.values(value)}
            for keyword in call.keywords:
                if keyword.arg == name:
                    values |= self.values(keyword.value)
        if shifted[:1] == [name]:
            for value in self._bindings.mapped_over[known_as]:
                values |= elements(self.values(value))
        return values

    def _evaluated(self, node: ast.AST) -> Iterator[Value]:  # noqa: C901, PLR0912 - one arm a kind
        match node:
            case ast.Constant(value=str(text)):
                if len(text) <= LONGEST:
                    yield Value("text", text)
            case ast.Constant(value=bytes(content)):
                if len(content) <= LONGEST:
                    yield Value("text", content.decode("latin-1"))
            case ast.Constant(value=int(number)) if 0 <= number <= sys.maxunicode:  # for chr()
                yield Value("number", str(int(number)))
            case ast.Name(id=name):
                place = self._bindings.place(name, self._bindings.scopes.get(node, (0,)))
                if place is not None:
                    yield from tuple(self._held(place) | self._held((-2, name)))
                elif hasattr(builtins, name):
                    yield Value("outside", f"builtins.{name}")
                else:  # of ``from app import *``
                    yield Value("own", f".{name}")
            case ast.Lambda():
                yield Value("function", str(self._bindings.numbers[node]))
            case ast.Attribute(value=base, attr=name):
                yield from self._attribute(self.values(base), name)
            case ast.Subscript(value=base, slice=index):
                yield from self._item(base, index)
            case ast.Call():
                yield from self._called(node)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                for first, second in itertools.product(self._texts(left), self._texts(right)):
                    yield Value("text", (first + second)[:LONGEST])
                yield from (
                    value for side in (left, right) for value in self.values(side) if value.kind == "inside"
                )
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                parts = right.elts if isinstance(right, ast.Tuple) else [right]
                for text, *chosen in itertools.product(self._texts(left), *map(self._texts, parts)):
                    yield from worked(operator.mod, text, tuple(chosen))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                yield from self.values(left) | self.values(right)
            case ast.JoinedStr(values=parts):
                for pieces in itertools.product(*(self._texts(part) for part in parts)):
                    yield Value("text", "".join(pieces)[:LONGEST])
            case ast.FormattedValue(value=value):
                yield from self.values(value)
            case ast.IfExp(body=first, orelse=second):
                yield from self.values(first) | self.values(second)
            case ast.BoolOp(values=values):
                yield from set().union(*map(self.values, values))
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                yield from self.values(value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                yield from (inside(value) for part in parts for value in self.values(part))
            case ast.Dict(values=values):
                yield from (inside(value) for part in values for value in self.values(part))
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
                yield from (inside(value) for value in self.values(part))

    def _attribute(self, bases: Iterable[Value], name: str) -> Iterator[Value]:
        for base in bases:
            if base.kind == "outside":
                if name == "__dict__":
                    yield Value("names", base.text)
                yield Value("outside", f"{base.text}.{name}")
            elif base.kind == "own":
                yield Value("own", base.text if name == "__dict__" else f"{base.text}.{name}")
            elif name == "__class__":
                yield from class_of(base)
            elif base.kind == "made":
                yield Value("outside", f"{base.text}.{name}")
        yield from tuple(self._held((-1, name)))

    def _item(self, base: ast.expr, index: ast.expr) -> Iterator[Value]:
        held = self.values(base)
        names = self._texts(index)
        for value in held:
            if value.kind == "names":
                for name in names:
                    yield from self._attribute([Value("outside", value.text)], name)
            elif value.kind in {"outside", "own"}:
                yield from (Value(value.kind, f"{value.text}.{name}") for name in names)
            elif value.kind == "text" and isinstance(index, ast.Slice):
                bounds = [integer(bound) for bound in (index.lower, index.upper, index.step)]
                if None not in [
                    b for b, e in zip(bounds, (index.lower, index.upper, index.step), strict=True) if e
                ]:
                    yield from worked(operator.getitem, value.text, slice(*bounds))
            elif value.kind == "text" and (at := integer(index)) is not None:
                yield from worked(operator.getitem, value.text, at)
        yield from elements(held)

    def _called(self, node: ast.Call) -> Iterator[Value]:  # noqa: C901, PLR0912, PLR0915 - one arm a function
        args = node.args
        encoded = [*args, *(keyword.value for keyword in node.keywords if keyword.arg == "encoding")]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKUPS and args:
            yield from self._looked_up(node.func.value, args[0])
        if isinstance(node.func, ast.Attribute) and node.func.attr in TEXT_METHODS:
            given = self._texts(node.func.value)
            if node.func.attr == "join" and args:
                parts = args[0].elts if isinstance(args[0], ast.List | ast.Tuple) else []
                yield from joined(given, [self._texts(part) for part in parts], self._texts(args[0]))
            else:
                yield from by_method(given, node.func.attr, [self._texts(argument) for argument in encoded])
        for function in self.values(node.func):
            if function.kind == "function":
                yield from self._returned(int(function.text))
                continue
            if function.kind not in {"outside", "made"}:
                continue
            name = function.text.removeprefix("builtins.")
            if name == "getattr" and len(args) > 1:
                for text in self._texts(args[1]):
                    yield from self._attribute(self.values(args[0]), text)
                if len(args) > 2:
                    yield from self.values(args[2])
            elif name.endswith("__getattribute__") and args:
                for text in self._texts(args[-1]):
                    bases = (
                        self.values(args[0]) if len(args) > 1 else [Value("made", name.rpartition(".")[0])]
                    )
                    yield from self._attribute(bases, text)
            elif name in {"__import__", "importlib.import_module", "importlib.__import__"} and args:
                yield from map(self._module, self._texts(args[0]))
            elif name == "vars" and args:
                held = self.values(args[0])
                yield from (Value("names", value.text) for value in held if value.kind == "outside")
                yield from (value for value in held if value.kind == "own")
            elif name == "type" and len(args) == 1:
                for value in self.values(args[0]):
                    yield from class_of(value)
            elif name == "chr" and args:
                for value in self.values(args[0]):
                    if value.kind == "number":
                        yield from worked(chr, int(value.text))
            elif name in {"str", "bytes.decode"} and len(encoded) > 1:
                yield from by_decoder("codecs.decode", self._texts(args[0]), self._texts(encoded[1]))
            elif name in _SAME and args:
                yield from self.values(args[0])
            elif name in {"next", "max", "min"} and args:
                yield from elements(self.values(args[0]))
            elif name in {"map", "filter"} and args:
                yield from (inside(v) for v in self._mapped(args))
            elif name in DECODERS and args:
                yield from by_decoder(
                    name, self._texts(args[0]), self._texts(encoded[1]) if len(encoded) > 1 else []
                )
            elif name in {"operator.attrgetter", "operator.methodcaller"}:
                yield from (Value("getter", text) for arg in args for text in self._texts(arg))
            else:
                yield Value("made", function.text)
        for function in self.values(node.func):
            if function.kind == "getter":
                read = self.values(args[0]) if args else set()
                for part in function.text.split("."):
                    read = set(self._attribute(read, part))
                yield from read

    def _looked_up(self, base: ast.expr, key: ast.expr) -> Iterator[Value]:
        kinds = {"names": "outside", "own": "own"}
        for value in self.values(base):
            if value.kind in kinds:
                yield from (Value(kinds[value.kind], f"{value.text}.{name}") for name in self._texts(key))

    def _mapped(self, args: list[ast.expr]) -> Iterator[Value]:
        for function in self.values(args[0]):
            if function.text == "builtins.getattr" and len(args) > 2:
                for text in texts(elements(self.values(args[2]))):
                    yield from self._attribute(elements(self.values(args[1])), text)
            elif function.text == "builtins.chr":
                yield from (Value("text", "?"),)
            elif function.text in {"builtins.__import__", "importlib.import_module"}:
                yield from map(self._module, texts(elements(self.values(args[1]))))
            elif function.kind == "function":
                yield from self._returned(int(function.text))

    def _returned(self, number: int) -> Iterator[Value]:
        for way, value in self._bindings.returns[number][:MOST]:
            values = self.values(value)
            yield from (inside(element) for element in values) if way == "container" else values

    def _named(self, node: ast.Call) -> Iterator[str]:
        """Yield the attribute names that a call takes from texts, such as ``a`` for ``getattr(x, "a")``."""
        args = node.args
        for function in self.values(node.func):
            name = function.text.removeprefix("builtins.")
            if name in {"getattr", *_SETTERS} and len(args) > 1:
                yield from self._texts(args[1])
            elif name.endswith(("__getattribute__", "__setattr__")) or name in {
                "operator.attrgetter", "operator.methodcaller", "inspect.getattr_static", "functools.partial",
                "functools.reduce",
            }:  # fmt: skip
                for argument in args:
                    for text in (*self._texts(argument), *texts(elements(self.values(argument)))):
                        yield from text.split(".")
            elif (
                name in {"map", "filter"}
                and args
                and any(v.text in {"builtins.getattr", "builtins.setattr"} for v in self.values(args[0]))
            ):
                for argument in args[1:]:
                    yield from texts(elements(self.values(argument)))
        named = {value.text.rpartition(".")[2] for value in self.values(node.func)}
        if (named | {node.func.attr if isinstance(node.func, ast.Attribute) else ""}) & _FORMATS:
            for argument in args[:1]:
                yield from (field for text in self._texts(argument) for field in fields(text))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKUPS and args:
            held_values = self.values(node.func.value)
            if any(value.kind == "names" for value in held_values) or is_dictionary(node.func.value):
                yield from self._texts(args[0])

    def _texts(self, node: ast.expr | None) -> list[str]:
        return texts(self.values(node))

    def _paths(self, base: ast.expr, names: Iterable[str]) -> Iterator[str]:
        for value in self.values(base):
            if value.kind == "outside":
                yield from (f"{value.text}.{name}" for name in names)
