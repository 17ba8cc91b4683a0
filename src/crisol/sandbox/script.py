"""Compile a script so that only its own code can report its exit code.

``sys.exit(X)``, ``exit(X)``, ``quit(X)``, ``raise SystemExit(X)``, the end of the script and, in a probe,
``report(X)`` are rewritten into calls of a mark. A mark is a constant that each run replaces by a function.
The exit codes 0 and 1 in these calls become marks, too, which the run replaces by secrets that the host drew.
Only code that holds the secrets can report an exit code, and only the script's own code holds them.
"""

from __future__ import annotations

import ast
import functools
import marshal
import re
import secrets
import threading
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisol.sandbox.records import Role, Script

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ACT", "JUDGE", "Compiled", "compile_script", "parts", "published", "seeded"]

_WARNINGS = threading.Lock()
"""Held while the filters of :mod:`warnings` are changed, which belong to the whole process."""
ACT, JUDGE = "\n# act\n", "\n# judge\n"
"""The lines that divide a script with a judge, see :func:`parts`."""
_SEED = re.compile(r"^SEED = 0$", re.MULTILINE)
_EXITS = {("sys", "exit"), ("builtins", "exit"), ("builtins", "quit")}
"""The functions that end a script, as (module, name)."""
ZERO, ONE, LEAVE, LEAVE_BY_VALUE, REPORT, PUBLISH = b"01evrp"
"""The last byte of each mark: two for the exit codes, four for the functions that the run inserts."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled script with marks, which are constants that each run replaces by secrets and functions.

    ``code`` is the marshalled code object. A bytes constant in it is a mark if it consists of ``mark`` and
    one more byte. ``error`` is the traceback of a script that does not compile, for which ``code`` is empty;
    otherwise it is "".
    """

    code: bytes
    mark: bytes
    error: str = ""


def seeded(source: str, seed: int) -> str:
    r"""Return the text of a script in which the first line that reads ``SEED = 0`` sets ``seed`` instead.

    A text without such a line is returned unchanged.

    >>> seeded("SEED = 0\n", 7)
    'SEED = 7\n'
    """
    return _SEED.sub(f"SEED = {seed}", source, count=1)


def parts(source: str) -> tuple[str, str]:
    r"""Split a script into the part that runs with the target and its judge, which runs in another process.

    The lines ``# act`` and ``# judge`` divide the text. The first part is the text before ``# judge``. The
    judge is the whole text, but the two lines and all lines between them are made blank; they are not
    deleted, so that line numbers stay right. If one of the two lines is missing, the first part is the whole
    text and the judge is "".

    >>> parts("plan\n# act\nact\n# judge\nlook\n")
    ('plan\n# act\nact\n', 'plan\n\n\n\nlook\n')
    """
    plan, acts, rest = source.partition(ACT)
    act, judges, look = rest.partition(JUDGE)
    if not (acts and judges):
        return source, ""
    return plan + ACT + act + "\n", plan + "\n" * (act.count("\n") + 4) + look


def compile_script(script: Script) -> Compiled:
    """Compile a script; if it does not compile, the result has its ``error`` set and nothing is raised."""
    return _compile(script.name, script.source, script.role)


@functools.lru_cache(maxsize=256)
def _compile(name: str, source: str, role: Role) -> Compiled:
    mark = b"\0crisol " + secrets.token_bytes(16)
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, name)
            rewritten = ast.fix_missing_locations(_Exits(tree, mark, role).visit(tree))
            code = compile(rewritten, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Compiled(b"", mark, "".join(traceback.format_exception_only(error)))
    return Compiled(marshal.dumps(code), mark)


def published(body: Sequence[ast.stmt], function: ast.Constant) -> list[ast.stmt]:
    """Return the statements ``body`` of a script, with a call after each class and each function.

    After the definition of ``save``, for example, the call is ``function("save", save)``. It stores the class
    or function in the module ``__main__``, where pickle and type annotations look for it, because the
    script's globals are not those of ``__main__``. ``body`` are the top-level statements. ``function`` is a
    placeholder, a constant that each run replaces by the function to call.
    """
    shown: list[ast.stmt] = []
    for statement in body:
        shown.append(statement)
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            arguments: list[ast.expr] = [ast.Constant(statement.name), ast.Name(statement.name, ast.Load())]
            shown.append(ast.copy_location(ast.Expr(ast.Call(function, arguments, [])), statement))
    return shown


class _Exits(ast.NodeTransformer):
    """A transformer that rewrites every exit of a script, such as ``sys.exit(0)``, as a call of a constant.

    A run replaces the constant by a function that reports the exit code. Imports such as ``from sys import
    exit as leave`` are recognised; a call of a name that the script defines, or imports from elsewhere, is no
    exit.
    """

    def __init__(self, tree: ast.Module, mark: bytes, role: Role) -> None:
        self._mark = mark
        self._modules = {"sys"}
        self._names = {"exit": LEAVE, "quit": LEAVE}
        if role is Role.PROBE:
            self._names["report"] = REPORT
        own: set[str] = set()
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    for alias in names:
                        name = alias.asname or alias.name.partition(".")[0]
                        (self._modules if alias.name == "sys" else own).add(name)
                case ast.ImportFrom(module=module, names=names):
                    for alias in names:
                        name = alias.asname or alias.name
                        if (module, alias.name) in _EXITS:
                            self._names[name] = LEAVE
                        else:
                            own.add(name)
                case (
                    ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                    | ast.ClassDef(name=name)
                    | ast.Name(id=name, ctx=ast.Store())
                    | ast.arg(arg=name)
                    | ast.ExceptHandler(name=str(name))
                    | ast.MatchAs(name=str(name))
                    | ast.MatchStar(name=str(name))
                    | ast.MatchMapping(rest=str(name))
                ):
                    own.add(name)
        self._modules -= own
        self._names = {name: way for name, way in self._names.items() if name not in own}
        self._system_exit = "SystemExit" not in own

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        body = published(node.body, self._constant(PUBLISH))
        node.body = [*body, ast.Expr(self._call(LEAVE, [self._constant(ZERO)]))]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Name(id=name) if name in self._names:
                return ast.copy_location(self._leave(self._names[name], node.args), node)
            case ast.Attribute(value=ast.Name(id=base), attr="exit") if base in self._modules:
                return ast.copy_location(self._leave(LEAVE, node.args), node)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        match node.exc:
            case ast.Name(id="SystemExit") if self._system_exit:
                return ast.copy_location(ast.Expr(self._leave(LEAVE, [])), node)
            case ast.Call(func=ast.Name(id="SystemExit"), args=args) if self._system_exit:
                return ast.copy_location(ast.Expr(self._leave(LEAVE, args)), node)
        return node

    def _leave(self, way: int, arguments: list[ast.expr]) -> ast.Call:
        if way == REPORT:
            return self._call(REPORT, [*arguments, self._constant(ZERO)])
        value = self._secret(arguments[0] if arguments else ast.Constant(0))
        if value is not None:
            return self._call(LEAVE, [value])
        return self._call(LEAVE_BY_VALUE, [*arguments[:1], self._constant(ZERO), self._constant(ONE)])

    def _secret(self, value: ast.expr) -> ast.expr | None:
        """Return the constant that stands for the exit code; None if the code may differ from 0 and 1.

        A run replaces the constant by the secret of the exit code.
        """
        match value:
            case ast.Constant(value=None | int() as code) if code in {None, 0, 1}:
                return self._constant(ONE if code else ZERO)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                first, second = self._secret(body), self._secret(orelse)
                return ast.IfExp(test, first, second) if first and second else None
        return None

    def _constant(self, which: int) -> ast.Constant:
        return ast.Constant(self._mark + bytes([which]))

    def _call(self, which: int, arguments: list[ast.expr]) -> ast.Call:
        return ast.Call(self._constant(which), arguments, [])
