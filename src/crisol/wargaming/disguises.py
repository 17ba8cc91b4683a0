"""Edits that keep a program's behaviour: comments, docstrings, layout, other names, equivalent expressions.

Mutants of right patches and mutants of wrong ones get these edits with the same probability, before any
wargame runs. So a model cannot learn the label from the edits.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator

from crisol.wargaming.spans import Text, parses

__all__ = ["DISGUISES", "REWRITES", "Disguise"]

Disguise = Callable[[Text, ast.AST, random.Random], Iterator[str]]
"""A function of a source text, one of its nodes and a random generator to texts that behave the same."""

_VERBS = (
    "check", "validate", "normalise", "reject", "refuse", "limit", "bound", "sanitise", "escape", "verify",
    "guard", "filter", "compare", "resolve", "restrict", "drop", "handle", "keep", "avoid", "prevent",
    "clean", "parse",
)  # fmt: skip
_NOUNS = (
    "input", "value", "name", "path", "header", "argument", "field", "data", "payload", "result", "key",
    "length", "size", "request", "parameter", "content", "string", "entry", "option", "token", "item", "line",
    "bytes", "state",
)  # fmt: skip
_TAILS = (
    "", "", "", "first", "here", "before use", "early", "explicitly", "as documented", "for safety",
    "to be safe", "on every call", "for all callers", "(see advisory)", "in one place", "and fail closed",
    "per RFC", "up front", "instead", "consistently", "if needed", "for backwards compatibility",
    "when untrusted",
)  # fmt: skip
_LEADS = ("", "", "", "SECURITY: ", "Fix: ", "NOTE: ", "Make sure to ", "We ", "Always ", "Must ", "Now ")
_NAMES = (
    "value",
    "checked",
    "current",
    "candidate",
    "clean",
    "safe",
    "normalized",
    "tmp",
    "obj",
    "data",
    "parsed",
)


def _sentence(rng: random.Random) -> str:
    words = f"{rng.choice(_VERBS)} {rng.choice(('the ', 'this ', '', 'each ', 'any '))}{rng.choice(_NOUNS)}"
    lead, tail = rng.choice(_LEADS), rng.choice(_TAILS)
    text = f"{lead}{words}{' ' + tail if tail else ''}"
    return text[0].upper() + text[1:] + rng.choice(("", "", "."))


def _comment(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:
    if isinstance(node, ast.stmt):
        start, _ = text.span(node)
        line = text.text.rfind("\n", 0, start) + 1
        indent = text.text[line:start]
        if not indent.strip():
            lines = "".join(f"{indent}# {_sentence(rng)}\n" for _ in range(rng.choice((1, 1, 1, 2))))
            yield text.text[:line] + lines + text.text[line:]


def _trailing_comment(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:
    if isinstance(node, ast.Assign | ast.Return | ast.Expr | ast.Raise):
        _, end = text.span(node)
        if text.text[end : end + 1] == "\n":
            yield f"{text.text[:end]}  # {_sentence(rng)}{text.text[end:]}"


def _docstring(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is None:
        start, _ = text.span(node.body[0])
        line = text.text.rfind("\n", 0, start) + 1
        indent = text.text[line:start]
        if not indent.strip():
            yield f'{text.text[:line]}{indent}"""{_sentence(rng)}"""\n{text.text[line:]}'


def _blank_line(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:  # noqa: ARG001 - its type
    if isinstance(node, ast.stmt):
        start, _ = text.span(node)
        line = text.text.rfind("\n", 0, start) + 1
        if not text.text[line:start].strip():
            yield f"{text.text[:line]}\n{text.text[line:]}"


def _rename(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:
    """Yield the source with one local variable of the function ``node`` renamed, if that is safe."""
    if not isinstance(node, ast.FunctionDef):
        return
    inside = [part for part in ast.walk(node) if part is not node]
    closed = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal)
    if any(isinstance(part, closed) for part in inside) or "locals" in text.of(node):
        return
    taken = {part.id for part in ast.walk(text.tree) if isinstance(part, ast.Name)}
    taken |= {part.arg for part in inside if isinstance(part, ast.arg | ast.keyword) and part.arg}
    uses = [part for part in inside if isinstance(part, ast.Name)]
    parameters = {part.arg for part in inside if isinstance(part, ast.arg)}
    bound = [part.id for part in uses if isinstance(part.ctx, ast.Store) and part.id not in parameters]
    free = [name for name in _NAMES if name not in taken]
    simple = [name for name in bound if text.of(node).count(name) == sum(use.id == name for use in uses)]
    if simple and free:
        old, new = rng.choice(sorted(set(simple))), rng.choice(free)
        changed = text.text
        for use in sorted((use for use in uses if use.id == old), key=text.span, reverse=True):
            start, end = text.span(use)
            changed = changed[:start] + new + changed[end:]
        yield changed


def _operand(text: Text, node: ast.expr) -> str:
    source, loose = text.of(node), ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda
    # The node does not include its parentheses; a `yield` and an operand on several lines need them, too.
    needs = isinstance(node, loose) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
    return f"({source})" if needs or not parses(source, "eval") else source


def _equivalent(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:  # noqa: ARG001 - its type
    """Yield the source with the comparison ``node``, or the condition in ``node``, written in another way."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = (_operand(text, side) for side in (node.left, node.comparators[0]))
        if isinstance(node.ops[0], ast.Eq) and isinstance(node.comparators[0], ast.Constant):
            yield text.put(node, f"{right} == {left}")
        elif isinstance(node.ops[0], ast.NotIn):
            yield text.put(node, f"(not ({left} in {right}))")
        elif isinstance(node.ops[0], ast.IsNot):
            yield text.put(node, f"(not ({left} is {right}))")
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield text.put(node.test, f"bool({text.of(node.test)})")


def _temporary(text: Text, node: ast.AST, rng: random.Random) -> Iterator[str]:
    """Yield the source in which ``node``, a ``return`` or ``raise``, first puts its value in a new variable.

    Nothing is yielded for a value that needs its parentheses, such as one on several lines, or if a backslash
    joins the statement with the line above.
    """
    names = {part.id for part in ast.walk(text.tree) if isinstance(part, ast.Name)}
    free = [name for name in ("result", "outcome", "answer", "error", "failure", "ret") if name not in names]
    whole = isinstance(node, ast.Return) and node.value is not None
    if free and (whole or (isinstance(node, ast.Raise) and node.exc is not None and node.cause is None)):
        value = (
            node.value if isinstance(node, ast.Return) else node.exc if isinstance(node, ast.Raise) else None
        )
        start, _ = text.span(node)  # type: ignore[arg-type]  # a statement, as the line above says
        line = text.text.rfind("\n", 0, start) + 1
        indent, name = text.text[line:start], rng.choice(free)
        word = "return" if isinstance(node, ast.Return) else "raise"
        if indent.strip() or text.text[:line].endswith(("\\\n", "\\\r\n")) or not isinstance(value, ast.expr):
            return
        assignment = f"{name} = {text.of(value)}"
        if parses(assignment, "single"):
            replacement = f"{assignment}\n{indent}{word} {name}"
            yield text.put(node, replacement)  # type: ignore[arg-type]  # a statement, as above


DISGUISES: dict[str, Disguise] = {
    "comment": _comment,
    "trailing_comment": _trailing_comment,
    "docstring": _docstring,
    "blank_line": _blank_line,
}
"""The disguises that do not change the syntax tree, except docstrings."""

REWRITES: dict[str, Disguise] = {"rename": _rename, "equivalent": _equivalent, "temporary": _temporary}
"""The disguises that change the syntax tree, but not the behaviour of the program."""
