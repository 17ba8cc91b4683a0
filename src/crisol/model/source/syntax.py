"""Syntax trees of hostile sources.

Size and nesting are bounded before parsing; walks do not recurse.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["Definition", "calls", "definitions", "names", "parsed", "said"]

_MAX_CHARACTERS = 1_000_000
_MAX_NESTING = 60
_MAX_SAID = 2_000
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache(maxsize=256)
def parsed(text: str) -> ast.Module | None:
    """Return the tree of a Python source, or None where it does not parse or exceeds the bounds.

    At most 1,000,000 characters, 60 open brackets and 60 indentations are read; longer chains of operators
    than Python can follow are refused by the parser itself. The tree is shared: do not change it.
    """
    if len(text) > _MAX_CHARACTERS or "\0" in text or not _shallow(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def definitions(tree: ast.Module) -> list[Definition]:
    """Return every function and method, an outer one before those inside it."""
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
    """Yield every call with the last part of the called name: ``system`` for ``os.system(x)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr.lower(), node
            elif isinstance(function, ast.Name):
                yield function.id.lower(), node


def names(tree: ast.AST) -> set[str]:
    """Return the variables that an expression reads; ``self.path`` is one, as ``self.path``."""
    identifiers = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id != "self":
            identifiers.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            identifiers.add(f"self.{node.attr}")
    return identifiers


def said(tree: ast.AST) -> str:
    """Return an expression in one form, whatever its layout; cut where it is long."""
    try:
        return ast.unparse(tree)[:_MAX_SAID]
    except (RecursionError, ValueError):
        return ""


def _shallow(text: str) -> bool:
    depth = 0
    for line in text.split("\n"):
        if len(line) - len(line.lstrip()) > 8 * _MAX_NESTING:
            return False
        # Brackets in text and comments count, too: an honest source balances even those, more or less.
        if "(" in line or "[" in line or "{" in line or depth:
            most = depth
            for character in line:
                if character in "([{":
                    depth += 1
                    most = max(most, depth)
                elif character in ")]}":
                    depth = max(0, depth - 1)
            if most > _MAX_NESTING:
                return False
            if (
                line
                and not line[0].isspace()
                and line.startswith(("def ", "class ", "import ", "from ", "@"))
            ):
                depth = 0
    return True
