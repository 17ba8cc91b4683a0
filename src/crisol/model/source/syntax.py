"""Walks over the syntax trees of untrusted Python sources; a tree of any depth raises no error."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["Definition", "calls", "definitions", "names", "said"]

_MAX_SAID = 2_000
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def definitions(tree: ast.Module) -> list[Definition]:
    """Return the nodes of all functions and methods of a module, an outer function before those inside it.

    A node is an ``ast.FunctionDef`` or an ``ast.AsyncFunctionDef``.
    """
    functions: list[Definition] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            functions.append(node)
        for part in _BODIES:
            waiting += getattr(node, part, ())
    return functions


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield (name, node) for each call in a syntax tree.

    The name is the last part of the called name, in lower case: ``system`` for ``os.system(x)``. A call of
    any other expression, such as ``table[key](x)``, is left out.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr.lower(), node
            elif isinstance(function, ast.Name):
                yield function.id.lower(), node


def names(tree: ast.AST) -> set[str]:
    """Return the names of the variables in a syntax tree, read or assigned.

    ``self`` itself is left out; its attribute ``path`` is given as ``self.path``. Of an attribute of another
    object, such as ``other.path``, only the name ``other`` is returned.
    """
    identifiers = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id != "self":
            identifiers.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            identifiers.add(f"self.{node.attr}")
    return identifiers


def said(tree: ast.AST) -> str:
    """Return the source text of an expression, in the layout of :func:`ast.unparse`.

    It is cut after 2,000 characters, and empty where the expression is nested too deeply.
    """
    try:
        return ast.unparse(tree)[:_MAX_SAID]
    except (RecursionError, ValueError):
        return ""
