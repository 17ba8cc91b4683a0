"""What the expressions of one Python file can be: text, or something that comes from outside the file's own tree.

An abstract interpretation that ignores order: every name, attribute, parameter and result is the union of all that
is ever put there. Text that is put together from constants is worked out. It errs towards
silence: what comes from outside at run time has no value here.
"""

from __future__ import annotations

import ast
import builtins
import codecs
import itertools
import string
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Flow", "Value"]

_MOST = 64
"""Values of one place, and characters' worth of work for one text."""
_LONGEST = 4096
_TEXT_METHODS = frozenset({
    "format", "join", "lower", "upper", "title", "swapcase", "capitalize", "strip", "lstrip", "rstrip", "replace",
    "removeprefix", "removesuffix", "decode", "encode", "center", "translate", "zfill", "hex", "fromhex", "split",
})  # fmt: skip
_DECODERS = frozenset({
    "bytes.fromhex", "base64.b64decode", "base64.b32decode", "base64.b16decode", "base64.b85decode",
    "base64.a85decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "codecs.decode", "codecs.encode",
    "binascii.unhexlify", "binascii.a2b_base64", "urllib.parse.unquote", "html.unescape",
})  # fmt: skip
_SETTERS = frozenset(
    {"setattr", "delattr", "object.__setattr__", "type.__setattr__", "type.__delattr__", "object.__delattr__"}
)


_FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda})
_LEAVES = frozenset({
    ast.Load, ast.Store, ast.Del, ast.Add, ast.Sub, ast.Mod, ast.Mult, ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is,
    ast.IsNot, ast.And, ast.Or, ast.Not, ast.Lt, ast.Gt, ast.LtE, ast.GtE, ast.Pass, ast.Continue, ast.Break,
})  # fmt: skip
_NOTED = frozenset({
    ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.For, ast.AsyncFor,
    ast.comprehension, ast.withitem, ast.ExceptHandler, ast.ClassDef, ast.Return, ast.Yield, ast.Call,
})  # fmt: skip


class Value(NamedTuple):
    """One thing that an expression can be.

    ``kind`` is ``text`` (a constant, in ``text``), ``number``, ``outside`` (something that ``text`` names by its
    dotted path), ``made`` (what a call of it gave), ``names`` (its dictionary), ``inside`` (an element of a
    container, in ``text`` as the element's own kind and text) or ``function`` (one of the file, by its number).
    """

    kind: str
    text: str


_Place = tuple[int, str]
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Flow:
    """What the expressions of one file can be, worked out when it is asked for."""

    def __init__(self, tree: ast.Module, own: frozenset[str]) -> None:
        self._own = own
        self._places: dict[_Place, list[tuple[str, ast.expr | str]]] = defaultdict(list)
        """What is put there: a value, or an element of it, or what a dotted path outside leads to."""
        self._functions: dict[int, _Function] = {}
        self._numbers: dict[ast.AST, int] = {}
        self._known_as: dict[int, str] = {}
        self._returns: dict[int, list[tuple[str, ast.expr]]] = defaultdict(list)
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        self._mapped_over: dict[str, list[ast.expr]] = defaultdict(list)
        self._scopes: dict[ast.AST, tuple[int, ...]] = {}
        self._locals: dict[int, set[str]] = defaultdict(set)
        self._lambdas: dict[ast.AST, str] = {}
        self._memo: dict[ast.AST | _Place, set[Value]] = {}
        self.nodes: list[ast.expr | ast.stmt] = []
        self._scan(tree)

    def values(self, node: ast.expr | None) -> set[Value]:
        """Return what an expression of the file can be; nothing where it is not known."""
        if node is None:
            return set()
        if node not in self._memo:
            self._memo[node] = set()  # what depends on itself adds nothing
            self._memo[node] = set(itertools.islice(self._evaluated(node), _MOST))
        return self._memo[node]

    def _held(self, place: _Place) -> set[Value]:
        """Return what a name, an attribute of any object or a parameter can be."""
        if place in self._memo:
            return self._memo[place]
        self._memo[place] = held = set()
        found: set[Value] = set()
        for way, put in self._places[place]:
            if isinstance(put, str):
                found.add(Value(way, put))
            else:
                values = self.values(put)
                found |= (
                    _elements(values)
                    if way == "element"
                    else {_inside(v) for v in values}
                    if way == "container"
                    else values
                )
            if len(found) > _MOST:
                break
        if place[0] > 0 and self._is_parameter(place):
            found |= self._handed_over(*place)
        held |= found
        return held

    def used(self, node: ast.AST) -> Iterator[Value]:
        """Yield what a node takes hold of: the value of a name, attribute, item or call, and what it imports."""
        match node:
            case ast.Import(names=names):
                yield from (Value("outside", alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    yield Value("outside", f"{module}.{alias.name}")
            case ast.Attribute(ctx=ast.Load()) | ast.Call() | ast.Subscript(ctx=ast.Load()):
                yield from self.values(node)
            case ast.Name(id=name, ctx=ast.Load()):
                yield from (value for value in self.values(node) if value.text == f"builtins.{name}")

    def attributes(self, node: ast.AST) -> Iterator[str]:
        """Yield the names of attributes that a node reads or writes, in whatever way."""
        match node:
            case ast.Attribute(attr=name):
                yield name
            case ast.MatchClass(kwd_attrs=names):
                yield from names
            case ast.Call():
                yield from self._named(node)
            case ast.Subscript(value=value, slice=index):
                if _is_dictionary(value) or any(each.kind == "names" for each in self.values(value)):
                    yield from self._texts(index)
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names)

    def replaced(self, node: ast.AST) -> Iterator[str]:
        """Yield the dotted paths of what is not the file's own and is set, replaced or deleted by a node."""
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
                    yield from (each.text for each in self.values(function.value) if each.kind == "names")

    # What follows is how values are found.

    def _scan(self, tree: ast.Module) -> None:
        """Note in one pass what is put where, and what calls what."""
        pending: list[tuple[ast.AST, tuple[int, ...], str]] = [(tree, (0,), "")]
        while pending:
            at, scope, owner = pending.pop()
            kind = type(at)
            if kind in _LEAVES:
                continue
            if isinstance(at, ast.expr | ast.stmt):
                self.nodes.append(at)
            if kind is ast.Name:
                self._scopes[at] = scope
                if type(at.ctx) is ast.Store:  # type: ignore[attr-defined]
                    self._locals[scope[-1]].add(at.id)  # type: ignore[attr-defined]
                continue
            if kind in _FUNCTIONS:
                assert isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                inner = self._enter(at, scope, owner)
                body: list[ast.AST] = [at.body] if isinstance(at, ast.Lambda) else list(at.body)
                pending += [(each, inner, "") for each in body]
                pending += [(each, scope, "") for each in ast.iter_child_nodes(at) if each not in body]
                continue
            if kind in _NOTED:
                self._note(at, scope)
            owner = at.name if isinstance(at, ast.ClassDef) else ""
            pending += [(each, scope, owner) for each in ast.iter_child_nodes(at)]

    def _enter(self, at: _Function, scope: tuple[int, ...], owner: str) -> tuple[int, ...]:
        number = len(self._functions) + 1
        self._functions[number], self._numbers[at] = at, number
        if isinstance(at, ast.Lambda):
            self._returns[number].append(("value", at.body))
        else:
            self._locals[scope[-1]].add(at.name)
            self._places[scope[-1], at.name].append(("function", str(number)))
            self._known_as[number] = owner if at.name == "__init__" else at.name
        arguments = at.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument in (
            *positional,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            self._locals[number].add(argument.arg)
        for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
            self._places[number, argument.arg].append(("value", default))
        for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if value is not None:
                self._places[number, argument.arg].append(("value", value))
        return (*scope, number)

    def _note(self, node: ast.AST, scope: tuple[int, ...]) -> None:  # noqa: C901, PLR0912 - one arm for each way to give a value
        match node:
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    self._locals[scope[-1]].add(alias.asname or top)
                    if top not in self._own:
                        path = alias.name if alias.asname else top
                        self._places[scope[-1], alias.asname or top].append(("outside", path))
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    self._locals[scope[-1]].add(alias.asname or alias.name)
                    if level == 0 and module and module.partition(".")[0] not in self._own:
                        place = scope[-1], alias.asname or alias.name
                        self._places[place].append(("outside", f"{module}.{alias.name}"))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._put(target, value, scope)
                    if isinstance(value, ast.Lambda) and isinstance(target, ast.Name):
                        self._lambdas[value] = target.id
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.NamedExpr(target=target, value=value)
            ):
                self._put(target, value, scope)
            case ast.AugAssign(target=target, value=value):
                self._put(target, value, scope)
                if isinstance(target, ast.Name):
                    before = ast.Name(target.id, ast.Load())
                    self._scopes[before] = scope
                    self._put(target, ast.BinOp(before, node.op, value), scope)
            case (
                ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ):
                self._put(target, value, scope, "element")
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._put(target, value, scope)
            case ast.ExceptHandler(name=str(name)) | ast.ClassDef(name=name):
                self._locals[scope[-1]].add(name)
            case ast.Return(value=ast.expr() as value):
                self._returns[scope[-1]].append(("value", value))
            case ast.Yield(value=ast.expr() as value):
                self._returns[scope[-1]].append(("container", value))
            case ast.Call(func=function, args=args):
                match function:
                    case ast.Name(id=name) | ast.Attribute(attr=name):
                        self._calls[name].append(node)
                        if name in {"map", "filter"} and len(args) > 1 and isinstance(args[0], ast.Name):
                            self._mapped_over[args[0].id] += args[1:]
                    case ast.Lambda():
                        self._calls[f"<{id(function)}>"].append(node)
                if (
                    isinstance(function, ast.Attribute)
                    and function.attr in {"append", "add", "insert"}
                    and args
                ):
                    self._put(function.value, args[-1], scope, "container")

    def _put(self, target: ast.AST, value: ast.expr, scope: tuple[int, ...], way: str = "value") -> None:
        match target:
            case ast.Name(id=name):
                self._places[-2, name].append((way, value))
                if way != "container":
                    self._locals[scope[-1]].add(name)
            case ast.Attribute(attr=name):
                self._places[-1, name].append((way, value))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                paired = (
                    isinstance(value, ast.Tuple | ast.List)
                    and way == "value"
                    and len(value.elts) == len(parts)
                    and not any(isinstance(each, ast.Starred) for each in (*parts, *value.elts))
                )
                for at, part in enumerate(parts):
                    if paired and isinstance(value, ast.Tuple | ast.List):
                        self._put(part, value.elts[at], scope)
                    else:
                        self._put(part, value, scope, "element")
            case ast.Starred(value=part):
                self._put(part, value, scope, way)

    def _is_parameter(self, place: _Place) -> bool:
        arguments = self._functions[place[0]].args
        return any(
            place[1] == argument.arg
            for argument in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                *filter(None, (arguments.vararg,)),
            )
        )

    def _handed_over(self, number: int, name: str) -> set[Value]:
        """Return what calls in this file hand to a parameter, by the function's name."""
        function = self._functions[number]
        known_as = self._known_as.get(number) or self._lambdas.get(function) or f"<{id(function)}>"
        arguments = function.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        found: set[Value] = set()
        shifted = names[1:] if names[:1] in (["self"], ["cls"]) else names
        for call in self._calls[known_as][:_MOST]:
            for at, value in enumerate(call.args):
                if at < len(shifted):
                    if shifted[at] == name:
                        found |= self.values(value)
                elif arguments.vararg and arguments.vararg.arg == name:
                    found |= {_inside(each) for each in self.values(value)}
            for keyword in call.keywords:
                if keyword.arg == name:
                    found |= self.values(keyword.value)
        if shifted[:1] == [name]:
            for value in self._mapped_over[known_as]:
                found |= _elements(self.values(value))
        return found

    def _place(self, name: str, scope: tuple[int, ...]) -> _Place | None:
        return next(((number, name) for number in reversed(scope) if name in self._locals[number]), None)

    def _evaluated(self, node: ast.AST) -> Iterator[Value]:  # noqa: C901, PLR0912 - one arm for each kind of expression
        match node:
            case ast.Constant(value=str(text)):
                if len(text) <= _LONGEST:
                    yield Value("text", text)
            case ast.Constant(value=bytes(content)):
                if len(content) <= _LONGEST:
                    yield Value("text", content.decode("latin-1"))
            case ast.Constant(value=int(number)):
                yield Value("number", str(int(number)))
            case ast.Name(id=name):
                place = self._place(name, self._scopes.get(node, (0,)))
                if place is not None:
                    yield from tuple(self._held(place) | self._held((-2, name)))
                elif hasattr(builtins, name):
                    yield Value("outside", f"builtins.{name}")
            case ast.Lambda():
                yield Value("function", str(self._numbers[node]))
            case ast.Attribute(value=base, attr=name):
                yield from self._attribute(self.values(base), name)
            case ast.Subscript(value=base, slice=index):
                yield from self._item(base, index)
            case ast.Call():
                yield from self._called(node)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                for first, second in itertools.product(self._texts(left), self._texts(right)):
                    yield Value("text", (first + second)[:_LONGEST])
                yield from (
                    value for side in (left, right) for value in self.values(side) if value.kind == "inside"
                )
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                parts = right.elts if isinstance(right, ast.Tuple) else [right]
                for text, *chosen in itertools.product(self._texts(left), *map(self._texts, parts)):
                    yield from _worked(lambda text=text, chosen=chosen: text % tuple(chosen))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                yield from self.values(left) | self.values(right)
            case ast.JoinedStr(values=parts):
                for pieces in itertools.product(*(self._texts(part) for part in parts)):
                    yield Value("text", "".join(pieces)[:_LONGEST])
            case ast.FormattedValue(value=value):
                yield from self.values(value)
            case ast.IfExp(body=first, orelse=second):
                yield from self.values(first) | self.values(second)
            case ast.BoolOp(values=values):
                yield from set().union(*map(self.values, values))
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                yield from self.values(value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                yield from (_inside(value) for part in parts for value in self.values(part))
            case ast.Dict(values=values):
                yield from (_inside(value) for part in values for value in self.values(part))
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
                yield from (_inside(value) for value in self.values(part))

    def _attribute(self, bases: Iterable[Value], name: str) -> Iterator[Value]:
        for base in bases:
            if base.kind == "outside":
                if name == "__dict__":
                    yield Value("names", base.text)
                yield Value("outside", f"{base.text}.{name}")
            elif base.kind == "made":
                yield Value("outside", base.text if name == "__class__" else f"{base.text}.{name}")
            elif base.kind == "text" and name == "__class__":
                yield Value("outside", "builtins.str")
        yield from tuple(self._held((-1, name)))

    def _item(self, base: ast.expr, index: ast.expr) -> Iterator[Value]:
        held = self.values(base)
        names = self._texts(index)
        for value in held:
            if value.kind == "names":
                for name in names:
                    yield from self._attribute([Value("outside", value.text)], name)
            elif value.kind == "outside":
                yield from (Value("outside", f"{value.text}.{name}") for name in names)
            elif value.kind == "text" and isinstance(index, ast.Slice):
                bounds = [_integer(each) for each in (index.lower, index.upper, index.step)]
                if None not in [
                    b for b, e in zip(bounds, (index.lower, index.upper, index.step), strict=True) if e
                ]:
                    yield from _worked(lambda value=value, bounds=bounds: value.text[slice(*bounds)])
            elif value.kind == "text" and (at := _integer(index)) is not None:
                yield from _worked(lambda value=value, at=at: value.text[at])
        yield from _elements(held)

    def _called(self, node: ast.Call) -> Iterator[Value]:  # noqa: C901, PLR0912 - one arm for each function with a meaning
        args = node.args
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS:
            yield from self._text_method(node.func.value, node.func.attr, args)
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
                yield from (
                    Value("outside", text)
                    for text in self._texts(args[0])
                    if text.partition(".")[0] not in self._own
                )
            elif name == "vars" and args:
                yield from (Value("names", v.text) for v in self.values(args[0]) if v.kind == "outside")
            elif name == "type" and len(args) == 1:
                yield from (Value("outside", v.text) for v in self.values(args[0]) if v.kind == "made")
                yield from (
                    Value("outside", "builtins.str") for v in self.values(args[0]) if v.kind == "text"
                )
            elif name == "chr" and args:
                for value in self.values(args[0]):
                    if value.kind == "number":
                        yield from _worked(lambda value=value: chr(int(value.text)))
            elif (
                name
                in {"str", "bytes", "iter", "list", "tuple", "set", "reversed", "sorted", "functools.partial"}
                and args
            ):
                yield from self.values(args[0])
            elif name in {"next", "max", "min"} and args:
                yield from _elements(self.values(args[0]))
            elif name in {"map", "filter"} and args:
                yield from (_inside(v) for v in self._mapped(args))
            elif name in _DECODERS and args:
                yield from self._decoded(name, args)
            elif name == "operator.attrgetter":
                yield from (Value("getter", text) for arg in args for text in self._texts(arg))
            else:
                yield Value("made", function.text)
        for function in self.values(node.func):
            if function.kind == "getter":
                held = self.values(args[0]) if args else set()
                for part in function.text.split("."):
                    held = set(self._attribute(held, part))
                yield from held

    def _mapped(self, args: list[ast.expr]) -> Iterator[Value]:
        for function in self.values(args[0]):
            if function.text == "builtins.getattr" and len(args) > 2:
                for text in _plain_texts(_elements(self.values(args[2]))):
                    yield from self._attribute(_elements(self.values(args[1])), text)
            elif function.text == "builtins.chr":
                yield from (Value("text", "?"),)
            elif function.text in {"builtins.__import__", "importlib.import_module"}:
                yield from (Value("outside", text) for text in _plain_texts(_elements(self.values(args[1]))))
            elif function.kind == "function":
                yield from self._returned(int(function.text))

    def _returned(self, number: int) -> Iterator[Value]:
        for way, value in self._returns[number][:_MOST]:
            values = self.values(value)
            yield from (_inside(each) for each in values) if way == "container" else values

    def _named(self, node: ast.Call) -> Iterator[str]:
        """Yield the names of attributes that a call reaches by text."""
        args = node.args
        for function in self.values(node.func):
            name = function.text.removeprefix("builtins.")
            if name in {"getattr", *_SETTERS} and len(args) > 1:
                yield from self._texts(args[1])
            elif name.endswith(("__getattribute__", "__setattr__")) or name in {
                "operator.attrgetter", "operator.methodcaller", "inspect.getattr_static", "functools.partial", "functools.reduce",
            }:  # fmt: skip
                for argument in args:
                    for text in (*self._texts(argument), *_plain_texts(_elements(self.values(argument)))):
                        yield from text.split(".")
            elif (
                name in {"map", "filter"}
                and args
                and any(v.text in {"builtins.getattr", "builtins.setattr"} for v in self.values(args[0]))
            ):
                for argument in args[1:]:
                    yield from _plain_texts(_elements(self.values(argument)))
        if isinstance(node.func, ast.Attribute) and node.func.attr in {
            "format",
            "format_map",
            "get_field",
            "vformat",
        }:
            held = self._texts(node.func.value) if node.func.attr.startswith("format") else []
            for text in (*held, *(t for argument in args[:1] for t in self._texts(argument))):
                yield from _fields(text)
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in {"get", "pop", "__getitem__", "setdefault"}
            and args
        ):
            held_values = self.values(node.func.value)
            if any(value.kind == "names" for value in held_values) or _is_dictionary(node.func.value):
                yield from self._texts(args[0])

    def _texts(self, node: ast.expr | None) -> list[str]:
        return _plain_texts(self.values(node))

    def _paths(self, base: ast.expr, names: Iterable[str]) -> Iterator[str]:
        for value in self.values(base):
            if value.kind == "outside":
                yield from (f"{value.text}.{name}" for name in names)

    def _text_method(self, base: ast.expr, method: str, args: list[ast.expr]) -> Iterator[Value]:
        bases = self._texts(base)
        if method == "join" and args:
            parts = args[0].elts if isinstance(args[0], ast.List | ast.Tuple) else None
            pieces = [self._texts(part) for part in parts] if parts else []
            if parts and all(pieces):
                for glue, *chosen in itertools.islice(itertools.product(bases, *pieces), _MOST):
                    yield Value("text", glue.join(chosen)[:_LONGEST])
            for glue, text in itertools.product(
                bases, self._texts(args[0])
            ):  # join over the letters of a text
                yield Value("text", glue.join(text)[:_LONGEST])
                yield Value("text", glue.join(reversed(text))[:_LONGEST])
            return
        for text, *chosen in itertools.islice(itertools.product(bases, *map(self._texts, args)), _MOST):
            if method == "split":
                yield from (
                    _inside(Value("text", part)) for part in text.split(chosen[0] if chosen else None)[:_MOST]
                )
            elif method == "decode" and chosen:
                yield from _worked(lambda text=text, chosen=chosen: codecs.decode(text, chosen[0]))
            elif method in {"decode", "encode", "hex"}:
                yield Value("text", text)
            elif method == "translate":
                continue
            else:
                yield from _worked(
                    lambda text=text, method=method, chosen=chosen: getattr(text, method)(*chosen)
                )

    def _decoded(self, name: str, args: list[ast.expr]) -> Iterator[Value]:
        import base64  # noqa: PLC0415 - rarely needed
        import binascii  # noqa: PLC0415
        import html  # noqa: PLC0415
        import urllib.parse  # noqa: PLC0415

        modules = {"base64": base64, "binascii": binascii, "html": html}
        for text in self._texts(args[0]):
            if name == "bytes.fromhex":
                yield from _worked(lambda text=text: bytes.fromhex(text).decode("latin-1"))
            elif name.startswith("codecs."):
                for encoding in self._texts(args[1]) if len(args) > 1 else ():
                    yield from _worked(lambda text=text, encoding=encoding: codecs.decode(text, encoding))
            elif name == "urllib.parse.unquote":
                yield Value("text", urllib.parse.unquote(text))
            elif name == "html.unescape":
                yield Value("text", html.unescape(text))
            else:
                module, _, function = name.partition(".")
                yield from _worked(
                    lambda text=text, module=module, function=function: getattr(modules[module], function)(
                        text.encode("latin-1")
                    ).decode("latin-1")
                )


def _inside(value: Value) -> Value:
    return Value("inside", f"{value.kind}\0{value.text}")


def _elements(values: Iterable[Value]) -> set[Value]:
    return {Value(*value.text.split("\0", 1)) for value in values if value.kind == "inside"}


def _plain_texts(values: Iterable[Value]) -> list[str]:
    return [value.text for value in values if value.kind == "text"]


def _integer(node: ast.expr | None) -> int | None:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return None


def _is_dictionary(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(attr="__dict__") | ast.Call(func=ast.Name(id="vars" | "globals" | "locals")):
            return True
    return False


def _fields(text: str) -> Iterator[str]:
    """Yield the attributes that a format string reaches."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:
        return
    for name in names:
        yield from name.replace("[", ".").replace("]", "").split(".")


def _worked(make: object) -> Iterator[Value]:
    """Yield the text that a harmless function gives, if it gives one of a sensible size."""
    try:
        text = make()  # type: ignore[operator]
    except Exception:  # noqa: BLE001 - whatever a wrong argument raises
        return
    if isinstance(text, str) and len(text) <= _LONGEST:
        yield Value("text", text)
