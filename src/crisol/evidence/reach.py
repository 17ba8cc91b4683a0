r"""Whether a patch changes code or files that a PoV executes or reads.

In this example the PoV calls ``read`` and the patch changes ``write``; the result None means untouched:

>>> from crisol.evidence.trace import Code
>>> old = ProgramTree({"app.py": "def read(name):\n    return open(name)\n\ndef write(name):\n    pass\n"})
>>> executed = (Code("app.py", "<module>", 1, (1, 4)), Code("app.py", "read", 1, (2,)))
>>> way = Way("pov.py", executed, *[frozenset()] * 3)
>>> after = {"app.py": "def read(name):\n    return open(name)\n\ndef write(name):\n    check(name)\n"}
>>> touched(old, after, way) is None
True

The syntax trees are compared, not line numbers. A patch leaves the PoV's path untouched if all its changes
are in these places:

- functions that were never called, and suites that were never entered;
- statements after one that was never reached;
- Python files that were not executed; if such a file is new or deleted, no import may have looked for it;
- documentation files.

Every other change touches the path, for example one of these:

- a changed statement in the body of a module or class, or a changed decorator, default or base class, since
  all of these run on import;
- a statement that is added at the end of a suite that ran;
- any change of a file that the program opens other than by import, and a new or deleted file in a folder that
  it lists;
- in a function that ran, a name that becomes local or is no longer local;
- in any function, a change that makes it a function of another kind, such as a generator.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from crisol.evidence.trace import Way
from crisol.wargaming.program import Habits, Module, ProgramTree, is_documentation, kept, same

__all__ = ["sees_itself", "touched"]

_SEES_ITSELF = frozenset({
    "f_lineno", "tb_lineno", "co_firstlineno", "co_lines", "co_lnotab", "co_code", "co_consts", "co_names",
    "co_varnames", "getsource", "getsourcelines", "findsource",
})  # fmt: skip
_Scope = ast.FunctionDef | ast.AsyncFunctionDef
_SUITES = ("body", "orelse", "finalbody")


def touched(tree: ProgramTree, after: Mapping[str, str | None], way: Way) -> str | None:
    """Return a sentence on the first change of a patch to code or files that a PoV executes or reads.

    None means that the patch changes nothing of these, so that the exploit still works. ``tree`` is the
    vulnerable program. ``after`` maps the path of each file that the patch touches, relative to the program's
    root, to the patched text, None for a deleted file. ``way`` is the trace of the PoV; if the trace failed,
    the result is the reason of that failure.
    """
    if way.lost:
        return way.lost[0]
    for path, text in sorted(after.items()):
        if change := _file(tree, path, text, way):
            return change
    return None


def sees_itself(tree: ProgramTree, way: Way) -> bool:
    """Return whether code that a PoV executes mentions line numbers, source text or byte code of the program.

    In such a program even a changed comment may change the behaviour. ``tree`` is the vulnerable program,
    ``way`` the trace of the PoV.
    """
    for path in {code.path for code in way.code}:
        module = tree.module(path)
        if module is None:
            continue
        for node in _running(module.body, _ran(path, way)):
            match node:
                case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                    if name in _SEES_ITSELF:
                        return True
    return False


def _file(tree: ProgramTree, path: str, text: str | None, way: Way) -> str | None:
    before = tree.read(path)
    if text == before:
        return None
    if seen := _as_file(path, way, created_or_deleted=text is None or before is None):
        return seen
    ran = _ran(path, way)
    if not ran.codes or not path.endswith(".py"):
        return None
    old = tree.module(path)
    new = Module.of(text or "", old)
    if old is None or new is None or old.cookie != new.cookie:
        return f"{path} runs and cannot be compared"
    return _Comparison((old, new), ran, tree.habits).suite(old.body, new.body, "")


def _as_file(path: str, way: Way, *, created_or_deleted: bool) -> str | None:
    """Return how the program may notice a change of ``path`` without executing it; None if it cannot."""
    if path in way.opened:
        return f"{path} is read as a file"
    if created_or_deleted and any(path.startswith(folder) for folder in way.listed):
        return f"the folder of {path} is listed"
    if path.endswith(".py"):
        return f"{path} is looked for" if created_or_deleted and _looked_for(path, way) else None
    return None if is_documentation(path) else f"{path} is no Python"


def _looked_for(path: str, way: Way) -> bool:
    # An import of the name from any package counts: the folders of the file are not compared.
    parts = PurePosixPath(path.removesuffix(".py")).parts
    name = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    ends = {name.rpartition(".")[2] for name in way.imports}
    return (
        name in ends
        or name in sys.stdlib_module_names
        or name in {"conftest", "sitecustomize", "usercustomize"}
    )


@dataclass(frozen=True, slots=True)
class _Ran:
    """The executed code of one file.

    ``codes`` has (name, first line) of each code object that ran. ``lines`` is None if lines were not traced.
    """

    path: str
    codes: frozenset[tuple[str, int]]
    lines: frozenset[int] | None

    def entered(self, node: _Scope | ast.ClassDef) -> bool:
        # A code object begins at the first decorator.
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return (node.name, first) in self.codes

    def reached(self, nodes: Sequence[ast.AST]) -> bool:
        if self.lines is None:
            return True
        return any(
            line in self.lines
            for node in nodes
            for line in range(_first(node), (getattr(node, "end_lineno", None) or 0) + 1)
        )


def _ran(path: str, way: Way) -> _Ran:
    codes = [code for code in way.code if code.path == path]
    lines = None
    if all(code.lines is not None for code in codes):
        lines = frozenset(line for code in codes for line in code.lines or ())
    return _Ran(path, frozenset((code.name, code.line) for code in codes), lines)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison of the vulnerable and the patched version of a module, ``modules`` in this order.

    ``ran`` is the executed code of the vulnerable version.
    """

    modules: tuple[Module, Module]
    ran: _Ran
    habits: Habits

    def suite(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt], where: str) -> str | None:
        """Return a sentence on the first change between two versions of a block in code that ran, else None.

        The PoV must have entered the block. ``where`` is the qualified name of the function or class that
        contains it, "" for the module.
        """
        before, after = kept(old, self.habits), kept(new, self.habits)
        place = f"{self.ran.path}:{where}"
        for left, right in zip(before, after, strict=False):
            if same((self.modules[0], left), (self.modules[1], right), self.habits):
                continue
            change = self._statement(left, right, where)
            if change is not None:
                # If this statement was never reached, none of the following ones ran, so their changes do not
                # matter.
                return None if self._never(left) else change
        if len(after) > len(before):
            return f"{place} gets more at its end"
        if len(after) < len(before):
            return None if self._never(before[len(after)]) else f"{place} loses what runs"
        return None

    def _never(self, node: ast.stmt) -> bool:
        """Return whether a statement certainly never ran; False if it leaves no trace, such as ``global``."""
        if isinstance(node, ast.Global | ast.Nonlocal | ast.AnnAssign | ast.Expr) and not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
        ):
            return False
        if isinstance(node, ast.If | ast.While | ast.Assert) and not any(
            isinstance(part, ast.Call | ast.Attribute | ast.Name) and getattr(part, "id", "") != "__debug__"
            for part in ast.walk(node.test)
        ):
            return False
        return not self.ran.reached([node])

    def _statement(self, old: ast.stmt, new: ast.stmt, where: str) -> str | None:
        place = f"{self.ran.path}:{where or '<module>'}"
        compound = any(hasattr(old, name) for name in (*_SUITES, "cases"))
        if type(old) is not type(new) or not compound or _head(old, self.habits) != _head(new, self.habits):
            return place
        if isinstance(old, _Scope) and isinstance(new, _Scope):
            return self._function(old, new, f"{where}.{old.name}".lstrip("."))
        if isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef):
            inside = f"{where}.{old.name}".lstrip(".")
            return self.suite(old.body, new.body, inside) if self.ran.entered(old) else None
        changes = (self._branch(old, left, right, where) for left, right in _suites(old, new))
        return next((change for change in changes if change is not None), None)

    def _branch(self, old: ast.stmt, left: list[ast.stmt], right: list[ast.stmt], where: str) -> str | None:
        if not left:
            return f"{self.ran.path}:{where or '<module>'} gets another branch" if right else None
        # A suite that leaves no trace, or shares the line of its head, is taken to have run.
        silent = not kept(left, self.habits) or _first(left[0]) == old.lineno
        return self.suite(left, right, where) if silent or self.ran.reached(left) else None

    def _function(self, old: _Scope, new: _Scope, where: str) -> str | None:
        place = f"{self.ran.path}:{where}"
        if _kind(old) != _kind(new):
            return f"{place} becomes another kind of function"
        if ("super" in _mentioned(old)) != ("super" in _mentioned(new)):
            return f"{place} takes hold of its class"
        if not self.ran.entered(old):
            return None
        change = self.suite(old.body, new.body, where)
        return change if change is not None else _scope_change(old, new, place)


def _first(node: ast.AST) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = getattr(node, "lineno", 0)
    return min([line, *(decorator.lineno for decorator in decorators)])


def _head(node: ast.AST, habits: Habits) -> list[str]:
    parts = [
        f"{name}={_plain(value)}"
        for name, value in ast.iter_fields(node)
        if name not in {*_SUITES, "handlers", "cases", "type_comment"}
    ]
    parts += [f"handler {_plain(handler.type)} {handler.name}" for handler in getattr(node, "handlers", ())]
    parts += [f"case {_plain(case.pattern)} {_plain(case.guard)}" for case in getattr(node, "cases", ())]
    if habits.docstrings and isinstance(node, _Scope | ast.ClassDef):
        parts.append(repr(ast.get_docstring(node, clean=False)))
    return parts


def _plain(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_plain, value))}]"
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def _suites(old: ast.stmt, new: ast.stmt) -> Iterator[tuple[list[ast.stmt], list[ast.stmt]]]:
    for name in _SUITES:
        yield getattr(old, name, []), getattr(new, name, [])
    for name in ("handlers", "cases"):
        for left, right in zip(getattr(old, name, []), getattr(new, name, []), strict=True):
            yield left.body, right.body


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the syntax nodes of a function that its own code object executes.

    Of a nested function, class or lambda these are the node itself and what is evaluated to make it, such as
    default values.
    """
    left: list[ast.AST] = [part for name in _SUITES for part in getattr(scope, name, ())]
    while left:
        node = left.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                left += _definition(node)
            case ast.ClassDef():
                left += [*node.decorator_list, *node.bases, *node.keywords]
            case ast.Lambda():
                left.append(node.args)
            case ast.comprehension():
                # Its targets are names of its own scope.
                named = [part for part in ast.walk(node.target) if isinstance(part, ast.NamedExpr)]
                left += [node.iter, *node.ifs, *named]
            case _:
                left += ast.iter_child_nodes(node)


def _definition(function: _Scope) -> list[ast.AST]:
    """Return the parts of a function that run where it is defined: decorators, defaults and annotations."""
    returns = [function.returns] if function.returns else []
    return [*function.decorator_list, function.args, *returns]


def _kind(scope: _Scope) -> tuple[type, bool]:
    return type(scope), any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own(scope))


def _bound(scope: _Scope) -> defaultdict[str, set[str]]:
    """Return the names that a function binds, and those that it declares as ``global`` or ``nonlocal``.

    The keys are ``bound`` and ``declared``. Names that are bound inside nested functions, classes and
    comprehensions do not count.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    given = scope.args
    several = filter(None, (given.vararg, given.kwarg))
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, *several]
    names["bound"] = {parameter.arg for parameter in parameters}
    for node in _own(scope):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names["bound"].add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names["bound"].add(name)
            case ast.alias(name=name, asname=alias):
                names["bound"].add(alias or name.partition(".")[0])
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                names["bound"].add(name)
            case ast.MatchMapping(rest=str(name)):
                names["bound"].add(name)
            case ast.Global(names=declared) | ast.Nonlocal(names=declared):
                names["declared"].update(declared)
    return names


def _mentioned(scope: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(scope) if isinstance(node, ast.Name)}
    return names | {"super" for name in names if name == "__class__"}


def _scope_change(old: _Scope, new: _Scope, place: str) -> str | None:
    before, after = _bound(old), _bound(new)
    if before["declared"] != after["declared"]:
        return f"{place} declares other names"
    moved = (after["bound"] - before["bound"]) & _mentioned(old) | (
        before["bound"] - after["bound"]
    ) & _mentioned(new)
    if moved or any(isinstance(node, ast.alias) and node.name == "*" for node in ast.walk(new)):
        return f"{place} changes the scope of {', '.join(sorted(moved)) or 'names'}"
    return None


def _running(body: Sequence[ast.stmt], ran: _Ran) -> Iterator[ast.AST]:
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        yield node
        if isinstance(node, _Scope) and not ran.entered(node):
            left += _definition(node)
        else:
            left += ast.iter_child_nodes(node)
