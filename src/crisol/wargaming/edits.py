"""Edits that are plausible mistakes.

An operator takes a source and one of its syntax nodes, and yields the sources that one edit of this node
makes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from crisol.wargaming.spans import Text

__all__ = ["OPERATORS", "Operator"]

Operator = Callable[[Text, ast.AST], Iterator[str]]
"""A function of a source text and one of its nodes to the texts that a single edit of the node makes."""

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_OPENING = re.compile(r"""([A-Za-z]*)(\"\"\"|'''|"|')""")
_PIECE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|[0-7]{1,3}|.)|\[(?:\\.|[^\]\\])*\][*+?]?|.", re.DOTALL)
_PATTERN = (
    (re.compile(r"(?<=[\w\])])\+"), "*"),
    (re.compile(r"\*(?!\*)"), "+"),
    (re.compile(r"\\Z"), "$"),
    (re.compile(r"\[\^"), "["),
    (re.compile(r"\{\d+(?:,\d*)?\}"), "*"),
)
"""Usual mistakes in regular expressions: pairs of a correct part and the wrong text written in its place."""


def _drop_statement(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield text.put(node, "pass")


def _negate_condition(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield text.put(node.test, f"not ({text.of(node.test)})")


def _disable_condition(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.IfExp):
        yield text.put(node.test, "False")


def _weaken_condition(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.BoolOp):
        for dropped in node.values:
            kept = [f"({text.of(value)})" for value in node.values if value is not dropped]
            yield text.put(node, (" and " if isinstance(node.op, ast.And) else " or ").join(kept))
        values = [f"({text.of(value)})" for value in node.values]
        yield text.put(node, (" or " if isinstance(node.op, ast.And) else " and ").join(values))


def _change_comparison(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for at, operator in enumerate(node.ops):
            yield text.between(operands[at], operands[at + 1], f" {_COMPARE[type(operator)]} ")


def _change_constant(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield text.put(node, repr(not value))
        elif isinstance(value, int):
            yield from (text.put(node, repr(other)) for other in (value + 1, value * 10, 0) if other != value)


def _change_literal(text: Text, node: ast.AST) -> Iterator[str]:
    """Yield copies of the source, each with one change inside the literal ``node``.

    A copy lacks one piece of the literal, such as an escape or a character, or has a usual mistake in a
    regular expression, such as ``*`` for ``+``.
    """
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ):
        written = text.of(node)
        if opening := _OPENING.match(written):
            quote = opening[2]
            inside = written[opening.end() : -len(quote)]
            for piece in _PIECE.finditer(inside):
                if isinstance(node, ast.JoinedStr) and {"{", "}"} & set(piece[0]):
                    continue
                kept = inside[: piece.start()] + inside[piece.end() :]
                yield text.put(node, f"{opening[0]}{kept}{quote}")
            if not isinstance(node, ast.JoinedStr):
                for pattern, replacement in _PATTERN:
                    yield from (
                        text.put(
                            node,
                            opening[0]
                            + inside[: place.start()]
                            + replacement
                            + inside[place.end() :]
                            + quote,
                        )
                        for place in pattern.finditer(inside)
                    )


def _swap_arguments(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        for left, right in pairwise(node.args):
            swapped = text.put(right, text.of(left))
            start, end = text.span(left)
            yield swapped[:start] + text.of(right) + swapped[end:]


def _drop_argument(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and node.keywords:
        last = node.keywords[-1]
        before = (node.args + [k.value for k in node.keywords[:-1]])[-1:] or [node.func]
        start = text.span(before[0])[1]
        opened = "(" if before[0] is node.func else ""
        yield text.text[:start] + opened + text.text[text.span(last.value)[1] :]


def _widen_except(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ExceptHandler) and node.type is not None:
        yield text.put(node.type, "Exception")
    elif isinstance(node, ast.Raise):
        yield text.put(node, "return None")


def _swap_call(text: Text, node: ast.AST) -> Iterator[str]:
    sisters = {
        "fullmatch": "match", "match": "search", "startswith": "endswith", "all": "any", "any": "all",
        "resolve": "absolute", "realpath": "abspath", "abspath": "normpath", "issubset": "isdisjoint",
        "strip": "rstrip", "lower": "upper", "compare_digest": "eq", "isalnum": "isprintable",
    }  # fmt: skip
    if isinstance(node, ast.Attribute) and node.attr in sisters:
        yield text.put(node, f"{text.of(node.value)}.{sisters[node.attr]}")


def _move_guard(text: Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and (after := text.following.get(node)):
        swapped = text.put(after, text.of(node))
        start, end = text.span(node)
        yield swapped[:start] + text.of(after) + swapped[end:]


OPERATORS: dict[str, Operator] = {
    "drop_statement": _drop_statement,
    "negate_condition": _negate_condition,
    "disable_condition": _disable_condition,
    "weaken_condition": _weaken_condition,
    "change_comparison": _change_comparison,
    "change_constant": _change_constant,
    "change_literal": _change_literal,
    "swap_arguments": _swap_arguments,
    "drop_argument": _drop_argument,
    "widen_except": _widen_except,
    "swap_call": _swap_call,
    "move_guard": _move_guard,
}
