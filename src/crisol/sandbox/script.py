"""Compiles a script so that its own exits can be told from everybody else's.

``sys.exit(X)``, ``exit(X)``, ``quit(X)``, ``raise SystemExit(X)`` and, in a probe, ``report(X)`` are rewritten into a
call of a constant of the code object. Inside the sandbox that constant becomes a function which raises an
exception class made for this one run and reachable by no name; whoever exits in another way, the target above all,
is not believed.
"""

from __future__ import annotations

import ast
import functools
import marshal
import secrets
import threading
import traceback
import warnings
from dataclasses import dataclass

from crisol.sandbox.records import Role, Script

__all__ = ["Compiled", "compile_script"]

_WARNINGS = threading.Lock()
"""The filters of :mod:`warnings` belong to the whole process."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A script's code, marshalled, in which ``mark`` stands where the run's own exit goes.

    ``error`` is the traceback of a script that does not compile, and then ``code`` is empty.
    """

    code: bytes
    mark: bytes
    error: str = ""


def compile_script(script: Script) -> Compiled:
    """Return the code of a script; one that is not Python is a finding about it, not an error of ours."""
    return _compile(script.name, script.source, script.role)


@functools.lru_cache(maxsize=1024)
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


class _Exits(ast.NodeTransformer):
    """Puts a method of the mark in the place of every exit, whatever names the script gave them."""

    def __init__(self, tree: ast.Module, mark: bytes, role: Role) -> None:
        self._mark = mark
        self._modules = {"sys"}
        self._names = {"exit": "exit", "quit": "exit"}
        self._system_exit = True
        if role is Role.PROBE:
            self._names["report"] = "report"
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    self._modules |= {each.asname or each.name for each in names if each.name == "sys"}
                case ast.ImportFrom(module="sys", names=names):
                    self._names |= {each.asname or each.name: "exit" for each in names if each.name == "exit"}
                case (
                    ast.FunctionDef(name=name)
                    | ast.AsyncFunctionDef(name=name)
                    | ast.ClassDef(name=name)
                    | ast.Name(id=name, ctx=ast.Store())
                    | ast.arg(arg=name)
                ):
                    self._names.pop(name, None)
                    self._system_exit &= name != "SystemExit"

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Name(id=name) if name in self._names:
                return self._leave(node, self._names[name], node.args)
            case ast.Attribute(value=ast.Name(id=base), attr="exit") if base in self._modules:
                return self._leave(node, "exit", node.args)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        match node.exc:
            case ast.Name(id="SystemExit") if self._system_exit:
                return ast.copy_location(ast.Expr(self._leave(node, "exit", [])), node)
            case ast.Call(func=ast.Name(id="SystemExit"), args=args) if self._system_exit:
                return ast.copy_location(ast.Expr(self._leave(node, "exit", args)), node)
        return node

    def _leave(self, node: ast.AST, method: str, arguments: list[ast.expr]) -> ast.Call:
        # A method of the constant, not the constant itself: the compiler warns of a constant that is called.
        target = ast.Attribute(ast.Constant(self._mark), method, ast.Load())
        return ast.copy_location(ast.Call(target, arguments, []), node)
