"""Recognise harmless uses of names that otherwise count as tampering.

There are three kinds of harmless uses:

- A type is used to test a value: in ``isinstance(value, types.FunctionType)`` it creates no function.
- A command-line program ends its process by ``sys.exit``, to report a failure. This is harmless below
  ``if __name__ == "__main__"``, and in a function if functions of the unpatched file already end the process.
- A module compiles a text that it executes. This is harmless if functions of the unpatched file already
  execute text.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from crisol.wargaming.suspects import TYPE_TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.wargaming.flow import Flow

__all__ = ["EXECUTES", "Excuses", "habits_of"]

EXECUTES = frozenset({"builtins.eval", "builtins.exec", "builtins.compile"})
"""The functions that execute a text as code."""
_TYPES = frozenset({"types.FunctionType", "types.CodeType", "types.FrameType"})
"""The types that a patch may use in comparisons alone."""
_ENDS = frozenset({"sys.exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})
"""The functions by which a command-line program may end its process."""
_TESTS = frozenset(f"builtins.{name}" for name in TYPE_TESTS)


class Excuses:
    """The harmless uses of forbidden names in a patched file; call :meth:`cover` for each use.

    ``tree`` is the syntax tree of the patched file, ``flow`` the possible values of its expressions.
    ``habits()`` returns the result of :func:`habits_of` for the unpatched file; it is called only when
    :meth:`cover` needs this result. The attribute ``types`` is a set of variables, to which :meth:`cover`
    adds those that it finds to hold a forbidden type. The method examines their uses in this file only;
    another file could use them otherwise.
    """

    def __init__(self, tree: ast.Module, flow: Flow, habits: Callable[[], frozenset[str]]) -> None:
        self._flow, self._habits = flow, habits
        self.types: set[str] = set()
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._loads: dict[str, list[ast.AST]] = {}
        self._spoken: set[str] = set()
        self._imports_all = False  # then another module says what ``isinstance`` is here
        for node in self._parents:
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    self._loads.setdefault(name, []).append(node)
                case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                    self._spoken.add(name)  # a name of the module that is reached in another way
                case ast.Global(names=names):
                    self._spoken.update(names)
                case ast.alias(name="*"):
                    self._imports_all = True

    def cover(self, node: ast.AST, name: str) -> bool:
        """Return whether ``node`` uses the forbidden ``name`` harmlessly, so that it is no tampering.

        ``node`` is a node of the file's syntax tree; ``name`` is dotted, such as ``sys.exit``.
        """
        if name in _ENDS:
            return _is_called_or_raised(node, self._parents.get(node)) and self._in_command(node)
        if name == "builtins.compile":
            return bool(self._habits() & EXECUTES)
        if name not in _TYPES or self._imports_all:
            return False
        if isinstance(node, ast.ImportFrom):
            taken = [alias.asname or alias.name for alias in node.names if name.endswith(f".{alias.name}")]
            return all(self._only_tested(name, set()) for name in taken)
        return self._is_tested(node, set())

    def _in_command(self, node: ast.AST) -> bool:
        """Return whether ``node`` belongs to a command-line program, which may end its process.

        Code below ``if __name__ == "__main__"`` does. If a function of the unpatched file already ends the
        process, all functions of the patched file do, too.
        """
        at: ast.AST | None = node
        in_function = False
        while at is not None:
            above = self._parents.get(at)
            in_function |= isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef)
            if isinstance(above, ast.If) and at in above.body and self._is_main_guard(above):
                return True
            at = above
        return in_function and bool(self._habits() & _ENDS)

    def _is_main_guard(self, node: ast.If) -> bool:
        match node.test:
            case ast.Compare(
                left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
            ):
                top = isinstance(self._parents[node], ast.Module)
                return top and not self._flow.binds("__name__")
        return False

    def _is_tested(self, node: ast.AST, seen: set[str]) -> bool:
        """Return whether the types in ``node`` are used only in ``isinstance``, ``issubclass`` and ``is``.

        ``seen`` holds the variables that were examined already; the call adds to it.
        """
        above = self._parents.get(node)
        match above:
            case ast.Call(func=function, args=[_, kinds], keywords=[]) if kinds is node:
                return {value.text for value in self._flow.values(function)} <= _TESTS and bool(
                    self._flow.values(function)
                )
            case ast.Compare(left=left, comparators=others, ops=ops):
                return all(isinstance(op, ast.Is | ast.IsNot) for op in ops) and node in (left, *others)
            case ast.Tuple(ctx=ast.Load()):
                return self._is_tested(above, seen)
            case ast.BinOp(left=left, op=ast.Add() | ast.BitOr(), right=right):
                other = self._flow.values(right if node is left else left)
                plain = bool(other) and {value.kind for value in other} <= {"inside", "outside"}
                return plain and self._is_tested(above, seen)
            case ast.Assign(targets=[ast.Name(id=name)]):
                return self._only_tested(name, seen)
        return False

    def _only_tested(self, name: str, seen: set[str]) -> bool:
        """Return whether :meth:`_is_tested` accepts every use of the variable ``name`` in the file.

        For a variable in ``seen`` the result is True, so that the search ends.
        """
        if name in seen:
            return True
        seen.add(name)
        self.types.add(name)
        loads = self._loads.get(name, [])
        return name not in self._spoken and all(self._is_tested(load, seen) for load in loads)


def habits_of(tree: ast.Module, flow: Flow) -> frozenset[str]:
    """Return the dotted names by which the file's functions end the process or execute text.

    Examples are ``sys.exit`` and ``builtins.eval``. ``tree`` is the syntax tree of the file, ``flow`` the
    possible values of its expressions.
    """
    return frozenset(
        value.text
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call | ast.Raise)
        for value in flow.values(node.func if isinstance(node, ast.Call) else node.exc)
        if value.text in _ENDS | EXECUTES
    )


def _is_called_or_raised(node: ast.AST, above: ast.AST | None) -> bool:
    match above:
        case ast.Call(func=function):
            return function is node
        case ast.Raise(exc=exc):
            return exc is node
    return False
