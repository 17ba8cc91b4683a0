"""Find which values a Python file assigns to its names, attributes and parameters, without running it."""

from __future__ import annotations

import ast
from collections import defaultdict

__all__ = ["Bindings", "Function", "Place"]

_LEAVES = frozenset({
    ast.Load, ast.Store, ast.Del, ast.Add, ast.Sub, ast.Mod, ast.Mult, ast.Eq, ast.NotEq, ast.In, ast.NotIn,
    ast.Is, ast.IsNot, ast.And, ast.Or, ast.Not, ast.Lt, ast.Gt, ast.LtE, ast.GtE, ast.Pass, ast.Continue,
    ast.Break,
})  # fmt: skip
_NOTED = frozenset({
    ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.For,
    ast.AsyncFor, ast.comprehension, ast.withitem, ast.ExceptHandler, ast.ClassDef, ast.Return, ast.Yield,
    ast.Call, ast.Match,
})  # fmt: skip

Place = tuple[int, str]
"""A place that holds values: (number of a function, variable), where 0 is the module; (-1, attribute), the
attribute of any object; (-2, name), a name in all functions together."""
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Bindings:
    """The assignments of a Python file to names, attributes and parameters, found without running it.

    ``tree`` is the syntax tree of the file. ``own`` holds the top-level module names of the vulnerable
    program. The order of statements is ignored. The functions of the file are numbered from 1, and 0 stands
    for the module. A scope is a tuple of the numbers of the enclosing functions, the outermost first; it
    begins with 0. The assigned values are stored as syntax nodes, from which
    :class:`~crisol.wargaming.flow.Flow` computes the possible values.
    """

    def __init__(self, tree: ast.Module, own: frozenset[str]) -> None:
        self._own = own
        self.places: dict[Place, list[tuple[str, ast.expr | str]]] = defaultdict(list)
        """Pairs (way, expression) for each place. The way says which values the place gets: ``value``, those
        of the expression; ``element``, its elements; ``container``, containers of its values; ``inside``, its
        parts at any depth. With ``outside``, ``own`` and ``function`` a text is in place of the expression: a
        dotted name, or the number of a function."""
        self.functions: dict[int, Function] = {}
        self.numbers: dict[ast.AST, int] = {}
        self.known_as: dict[int, str] = {}
        self.returns: dict[int, list[tuple[str, ast.expr]]] = defaultdict(list)
        self.calls: dict[str, list[ast.Call]] = defaultdict(list)
        self.mapped_over: dict[str, list[ast.expr]] = defaultdict(list)
        self.scopes: dict[ast.AST, tuple[int, ...]] = {}
        self.locals: dict[int, set[str]] = defaultdict(set)
        self.lambdas: dict[ast.AST, str] = {}
        self.nodes: list[ast.expr | ast.stmt] = []
        self._scan(tree)

    def place(self, name: str, scope: tuple[int, ...]) -> Place | None:
        """Return where the name ``name``, as used in ``scope``, is bound: (number of the function, name).

        The scope is the tuple of the numbers of the enclosing functions, the outermost first; 0 is the
        module. None means that neither these functions nor the module bind the name, as with built-in
        functions.
        """
        return next(((number, name) for number in reversed(scope) if name in self.locals[number]), None)

    def is_parameter(self, place: Place) -> bool:
        """Return whether a name is a parameter of a function; ``place`` is (number of the function, name).

        ``*args`` counts as a parameter, ``**kwargs`` does not.
        """
        arguments = self.functions[place[0]].args
        return any(
            place[1] == argument.arg
            for argument in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                *filter(None, (arguments.vararg,)),
            )
        )

    def _scan(self, tree: ast.Module) -> None:
        pending: list[tuple[ast.AST, tuple[int, ...], str]] = [(tree, (0,), "")]
        while pending:
            at, scope, owner = pending.pop()
            kind = type(at)
            if kind in _LEAVES:
                continue
            if isinstance(at, ast.expr | ast.stmt):
                self.nodes.append(at)
            if isinstance(at, ast.Name):
                self.scopes[at] = scope
                if type(at.ctx) is ast.Store:
                    self.locals[scope[-1]].add(at.id)
                continue
            if isinstance(at, Function):
                inner = self._enter(at, scope, owner)
                body: list[ast.AST] = [at.body] if isinstance(at, ast.Lambda) else list(at.body)
                pending += [(node, inner, "") for node in body]
                pending += [(node, scope, "") for node in ast.iter_child_nodes(at) if node not in body]
                continue
            if kind in _NOTED:
                self._note(at, scope)
            owner = at.name if isinstance(at, ast.ClassDef) else ""
            pending += [(node, scope, owner) for node in ast.iter_child_nodes(at)]

    def _enter(self, at: Function, scope: tuple[int, ...], owner: str) -> tuple[int, ...]:
        number = len(self.functions) + 1
        self.functions[number], self.numbers[at] = at, number
        if isinstance(at, ast.Lambda):
            self.returns[number].append(("value", at.body))
        else:
            self.locals[scope[-1]].add(at.name)
            self.places[scope[-1], at.name].append(("function", str(number)))
            self.known_as[number] = owner if at.name == "__init__" else at.name
        arguments = at.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument in (
            *positional,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            self.locals[number].add(argument.arg)
        for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
            self.places[number, argument.arg].append(("value", default))
        for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if value is not None:
                self.places[number, argument.arg].append(("value", value))
        return (*scope, number)

    def _note(self, node: ast.AST, scope: tuple[int, ...]) -> None:  # noqa: C901, PLR0912 - one arm a way
        match node:
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    self.locals[scope[-1]].add(alias.asname or top)
                    kind = "own" if top in self._own else "outside"
                    path = alias.name if alias.asname else top
                    self.places[scope[-1], alias.asname or top].append((kind, path))
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    self.locals[scope[-1]].add(alias.asname or alias.name)
                    own = level or (module or "").partition(".")[0] in self._own
                    place = scope[-1], alias.asname or alias.name
                    self.places[place].append(("own" if own else "outside", f"{module or ''}.{alias.name}"))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._put(target, value, scope)
                    if isinstance(value, ast.Lambda) and isinstance(target, ast.Name):
                        self.lambdas[value] = target.id
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.NamedExpr(target=target, value=value)
            ):
                self._put(target, value, scope)
            case ast.AugAssign(target=target, value=value):
                self._put(target, value, scope)
                if isinstance(target, ast.Name):
                    before = ast.Name(target.id, ast.Load())
                    self.scopes[before] = scope
                    self._put(target, ast.BinOp(before, node.op, value), scope)
            case (
                ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ):
                self._put(target, value, scope, "element")
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._put(target, value, scope)
            case ast.Match(subject=value, cases=cases):
                for branch in cases:
                    self._capture(branch.pattern, value, scope)
            case ast.ExceptHandler(name=str(name)) | ast.ClassDef(name=name):
                self.locals[scope[-1]].add(name)
            case ast.Return(value=ast.expr() as value):
                self.returns[scope[-1]].append(("value", value))
            case ast.Yield(value=ast.expr() as value):
                self.returns[scope[-1]].append(("container", value))
            case ast.Call(func=function, args=args):
                match function:
                    case ast.Name(id=name) | ast.Attribute(attr=name):
                        self.calls[name].append(node)
                        if name in {"map", "filter"} and len(args) > 1 and isinstance(args[0], ast.Name):
                            self.mapped_over[args[0].id] += args[1:]
                    case ast.Lambda():
                        self.calls[f"<{id(function)}>"].append(node)
                if (
                    isinstance(function, ast.Attribute)
                    and function.attr in {"append", "add", "insert"}
                    and args
                ):
                    self._put(function.value, args[-1], scope, "container")

    def _capture(
        self, pattern: ast.pattern, value: ast.expr, scope: tuple[int, ...], way: str = "value"
    ) -> None:
        """Bind the names in a pattern of ``match`` to ``value`` or to parts of it.

        ``way`` says what the pattern matches: the value of the expression (``value``), an element of this
        value (``element``), or a part of it at any depth (``inside``).
        """
        match pattern:
            case ast.MatchAs(pattern=inner, name=name):
                if name is not None:
                    self._put(ast.Name(name, ast.Store()), value, scope, way)
                if inner is not None:
                    self._capture(inner, value, scope, way)
            case ast.MatchStar(name=str(name)):
                self._put(ast.Name(name, ast.Store()), value, scope, way)
            case ast.MatchOr(patterns=patterns):
                for inner in patterns:
                    self._capture(inner, value, scope, way)
            case ast.MatchSequence(patterns=patterns) | ast.MatchMapping(patterns=patterns):
                for inner in patterns:
                    deeper = way if isinstance(inner, ast.MatchStar) else _deeper(way)
                    self._capture(inner, value, scope, deeper)
                if isinstance(pattern, ast.MatchMapping) and pattern.rest is not None:
                    self._put(ast.Name(pattern.rest, ast.Store()), value, scope, way)
            case ast.MatchClass(patterns=patterns, kwd_attrs=attributes, kwd_patterns=named):
                for inner in patterns:
                    self._capture(inner, value, scope, _deeper(way))
                for attribute, inner in zip(attributes, named, strict=True):
                    # The pattern reads the attribute as an expression would.
                    read = ast.copy_location(ast.Attribute(value, attribute, ast.Load()), inner)
                    self.nodes.append(read)
                    self._capture(inner, read, scope)

    def _put(self, target: ast.AST, value: ast.expr, scope: tuple[int, ...], way: str = "value") -> None:
        match target:
            case ast.Name(id=name):
                self.places[-2, name].append((way, value))
                if way != "container":
                    self.locals[scope[-1]].add(name)
            case ast.Attribute(attr=name):
                self.places[-1, name].append((way, value))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                paired = (
                    isinstance(value, ast.Tuple | ast.List)
                    and way == "value"
                    and len(value.elts) == len(parts)
                    and not any(isinstance(part, ast.Starred) for part in (*parts, *value.elts))
                )
                for at, part in enumerate(parts):
                    if paired and isinstance(value, ast.Tuple | ast.List):
                        self._put(part, value.elts[at], scope)
                    elif isinstance(part, ast.Starred):
                        self._put(part.value, value, scope, way)
                    else:
                        self._put(part, value, scope, _deeper(way))


def _deeper(way: str) -> str:
    """Return the way that stands for the elements of a value; ``way`` stands for the value itself.

    :attr:`Bindings.places` lists the ways.
    """
    return "element" if way == "value" else "inside"
