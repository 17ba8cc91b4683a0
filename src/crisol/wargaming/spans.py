"""Find the position of syntax nodes in a source text, and replace their text."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

from crisol.wargaming.parsing import source_lines

__all__ = ["Text", "parses"]

_LINE_END = re.compile(r"\r\n|\r|\n")


class Text:
    """A parsed Python source, in which the text of a syntax node can be found and replaced.

    Positions are counted in characters (:mod:`ast` counts columns in UTF-8 bytes). The constructor raises
    ``SyntaxError``, ``ValueError`` or ``RecursionError`` for a text that does not parse.
    """

    def __init__(self, text: str) -> None:
        self.lines = source_lines(text)
        self.text = text
        self.tree = ast.parse(text)
        bodies = (value for node in ast.walk(self.tree) for _, value in ast.iter_fields(node))
        siblings = (
            body for body in bodies if isinstance(body, list) and body and isinstance(body[0], ast.stmt)
        )
        self.following: dict[ast.AST, ast.stmt] = {a: b for body in siblings for a, b in pairwise(body)}
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return the position of a node's text as (start, end), in characters; ``end`` is exclusive."""
        return self._at(node.lineno, node.col_offset), self._at(
            node.end_lineno or 0, node.end_col_offset or 0
        )

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Return the source text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def put(self, node: ast.expr | ast.stmt, replacement: str) -> str:
        """Return the whole source in which the text of ``node`` is replaced by ``replacement``.

        ``node`` is a node of the syntax tree.
        """
        start, end = self.span(node)
        return self.text[:start] + replacement + self.text[end:]

    def between(self, left: ast.expr, right: ast.expr, replacement: str) -> str:
        """Return the whole source in which the text between two nodes is replaced by ``replacement``.

        ``left`` and ``right`` are nodes of the syntax tree; their own text stays.
        """
        return self.text[: self.span(left)[1]] + replacement + self.text[self.span(right)[0] :]

    def _at(self, line: int, column: int) -> int:
        source = self.lines[line - 1]
        offset = column if source.isascii() else len(source.encode()[:column].decode(errors="replace"))
        return self._starts[line - 1] + offset


def parses(text: str, mode: str = "exec") -> bool:
    """Return whether a text is valid Python: a module, or what ``mode`` says.

    ``mode`` is that of :func:`ast.parse`: ``eval`` for one expression, ``single`` for one statement.
    """
    try:
        ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
