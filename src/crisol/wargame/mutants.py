"""Mutants: small, seeded changes to a right patch, most of them plausible mistakes, some of them harmless.

An operator looks at one patched file and yields edits that stay inside the lines which the patch added or
changed; what a mutant is worth is found by running it, like any other candidate.
"""

from __future__ import annotations

import ast
import random
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from crisol import diff
from crisol.errors import DiffError
from crisol.records import Candidate, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["OPERATORS", "edits", "mutants"]

_CHARACTERS, _FEWEST = 1 << 21, 8
"""How much text is written for each operator on one file, and the edits that are tried however long it is."""

_Files = dict[str, str | None]
"""What a mutant makes of the files that it touches; None for one that it deletes."""
_Place = TypeVar("_Place")

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip


class _Text:
    """A parsed source that gives the character span of a node (``ast`` counts UTF-8 bytes)."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.text = text
        self.tree = ast.parse(text)
        bodies = (value for node in ast.walk(self.tree) for _, value in ast.iter_fields(node))
        siblings = (
            body for body in bodies if isinstance(body, list) and body and isinstance(body[0], ast.stmt)
        )
        self.following: dict[ast.AST, ast.stmt] = {a: b for body in siblings for a, b in pairwise(body)}
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(
            node.end_lineno or 0, node.end_col_offset or 0
        )

    def of(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def put(self, node: ast.expr | ast.stmt, replacement: str) -> str:
        start, end = self.span(node)
        return self.text[:start] + replacement + self.text[end:]

    def between(self, left: ast.expr, right: ast.expr, replacement: str) -> str:
        return self.text[: self.span(left)[1]] + replacement + self.text[self.span(right)[0] :]

    def _at(self, line: int, column: int) -> int:
        source = self.lines[line - 1]
        offset = column if source.isascii() else len(source.encode()[:column].decode(errors="replace"))
        return self._starts[line - 1] + offset


def _drop_statement(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield text.put(node, "pass")


def _negate_condition(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield text.put(node.test, f"not ({text.of(node.test)})")


def _disable_condition(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.IfExp):
        yield text.put(node.test, "False")


def _weaken_condition(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.BoolOp):
        for dropped in node.values:
            kept = [f"({text.of(value)})" for value in node.values if value is not dropped]
            yield text.put(node, (" and " if isinstance(node.op, ast.And) else " or ").join(kept))
        values = [f"({text.of(value)})" for value in node.values]
        yield text.put(node, (" or " if isinstance(node.op, ast.And) else " and ").join(values))


def _change_comparison(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for at, operator in enumerate(node.ops):
            yield text.between(operands[at], operands[at + 1], f" {_COMPARE[type(operator)]} ")


def _change_constant(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield text.put(node, repr(not value))
        elif isinstance(value, int):
            yield from (text.put(node, repr(other)) for other in (value + 1, value * 10, 0) if other != value)
        elif isinstance(value, str | bytes) and len(value) > 1 and text.of(node)[-1:] in {"'", '"'}:
            yield text.put(node, repr(value[:-1]))
            yield text.put(node, repr(value[1:]))
            if isinstance(value, str):
                middle = len(value) // 2
                yield text.put(node, repr(value[:middle] + value[middle + 1 :]))


def _swap_arguments(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        for left, right in pairwise(node.args):
            swapped = text.put(right, text.of(left))
            start, end = text.span(left)
            yield swapped[:start] + text.of(right) + swapped[end:]


def _drop_argument(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and node.keywords:
        last = node.keywords[-1]
        before = (node.args + [k.value for k in node.keywords[:-1]])[-1:] or [node.func]
        start = text.span(before[0])[1]
        opened = "(" if before[0] is node.func else ""
        yield text.text[:start] + opened + text.text[text.span(last.value)[1] :]


def _widen_except(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ExceptHandler) and node.type is not None:
        yield text.put(node.type, "Exception")
    elif isinstance(node, ast.Raise):
        yield text.put(node, "return None")


def _swap_call(text: _Text, node: ast.AST) -> Iterator[str]:
    """Use the method's weaker sister."""
    sisters = {
        "fullmatch": "match", "match": "search", "startswith": "endswith", "all": "any", "any": "all",
        "resolve": "absolute", "realpath": "abspath", "abspath": "normpath", "issubset": "isdisjoint",
        "strip": "rstrip", "lower": "upper", "compare_digest": "eq", "isalnum": "isprintable",
    }  # fmt: skip
    if isinstance(node, ast.Attribute) and node.attr in sisters:
        yield text.put(node, f"{text.of(node.value)}.{sisters[node.attr]}")


def _move_guard(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and (after := text.following.get(node)):
        swapped = text.put(after, text.of(node))
        start, end = text.span(node)
        yield swapped[:start] + text.of(after) + swapped[end:]


def _add_comment(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.stmt):
        indent = " " * node.col_offset
        start, _ = text.span(node)
        yield f"{text.text[:start]}# Checked here, before the value is used.\n{indent}{text.text[start:]}"


def _parenthesise(text: _Text, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield text.put(node.test, f"bool({text.of(node.test)})")
    elif isinstance(node, ast.Return) and node.value is not None:
        yield text.put(node.value, f"({text.of(node.value)})")


OPERATORS: dict[str, Callable[[_Text, ast.AST], Iterator[str]]] = {
    "drop_statement": _drop_statement,
    "negate_condition": _negate_condition,
    "disable_condition": _disable_condition,
    "weaken_condition": _weaken_condition,
    "change_comparison": _change_comparison,
    "change_constant": _change_constant,
    "swap_arguments": _swap_arguments,
    "drop_argument": _drop_argument,
    "widen_except": _widen_except,
    "swap_call": _swap_call,
    "move_guard": _move_guard,
    "add_comment": _add_comment,
    "parenthesise": _parenthesise,
}


def mutants(parent: Candidate, source: Mapping[str, str], limit: int, seed: int) -> Iterator[Candidate]:
    """Yield up to ``limit`` mutants of a right patch, operators in turn, chosen by the seed.

    ``source`` holds the vulnerable text of the files that the parent touches. No mutant equals its parent or the
    vulnerable source, and no two are equal. Mutants that do not even parse are not made: they teach nothing.
    """
    patched = diff.apply(diff.parse(parent.diff), source.get)
    rng = random.Random(f"{seed}:{parent.vulnerability}:{parent.name}")
    queues: dict[str, list[_Files]] = {
        "drop_hunk": list(_without_a_hunk(parent, source, rng)),
        "comment_only": list(_comment_only(parent, source, rng)),
    }
    for path, after in patched.items():
        if after is None or not path.endswith(".py"):
            continue
        for operator, edited in edits(source.get(path, ""), after, rng):
            queues.setdefault(operator, []).append({**patched, path: edited})
    for queue in queues.values():
        rng.shuffle(queue)
    order = sorted(queues)
    rng.shuffle(order)
    seen = {diff.parse(parent.diff).identity}
    count = 0
    while count < limit and any(queues.values()):
        for operator in order:
            if not queues[operator] or count >= limit:
                continue
            text = _text(source, queues[operator].pop())
            if text and (identity := _identity(text)) and identity not in seen:
                seen.add(identity)
                count += 1
                name = f"{parent.name}~{operator}-{identity[:8]}"
                yield replace(
                    parent, name=name, origin=Origin.MUTANT, diff=text, parent=parent.name, operator=operator
                )


def _some(places: Sequence[_Place], length: int, rng: random.Random) -> list[_Place]:
    """Return the places to try in a text of that length: all but in a very large patch, then some of them."""
    most = max(_FEWEST, _CHARACTERS // max(length, 1))
    if len(places) <= most:
        return list(places)
    return [places[at] for at in sorted(rng.sample(range(len(places)), most))]


def edits(before: str, after: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield operator and new text for the places that the patch wrote, of a very large one for some of them."""
    try:
        text = _Text(after)
    except (SyntaxError, ValueError, RecursionError):
        return
    written = _written_lines(before, after)
    nodes = []
    for node in ast.walk(text.tree):
        # Adjacent literals are one constant that begins on an earlier line than the part that was written.
        last = node.end_lineno or 0 if isinstance(node, ast.Constant) else getattr(node, "lineno", 0)
        if not written.isdisjoint(range(getattr(node, "lineno", 0), last + 1)):
            nodes.append(node)
    places = {
        name: set(_some([node for node in nodes if any(operator(text, node))], len(after), rng))
        for name, operator in OPERATORS.items()
    }
    for node in nodes:
        for name, operator in OPERATORS.items():
            for edited in operator(text, node) if node in places[name] else ():
                if edited not in {after, before} and _parses(edited):
                    yield name, edited


def _written_lines(before: str, after: str) -> set[int]:
    """Return the 1-based numbers of the lines of ``after`` that the patch added."""
    written: set[int] = set()
    text = diff.between({"f": before}, {"f": after}, context=0)
    for change in diff.parse(text).files if text else ():
        for hunk in change.hunks:
            written.update(range(hunk.new_start, hunk.new_start + len(hunk.new)))
    return written


def _without_a_hunk(parent: Candidate, source: Mapping[str, str], rng: random.Random) -> Iterator[_Files]:
    """Yield the parent less one of its hunks."""
    patch = diff.parse(parent.diff)
    places = [
        (at, dropped)
        for at, change in enumerate(patch.files)
        for dropped in (change.hunks if len(patch.files) + len(change.hunks) > 2 else ())
    ]
    for at, dropped in _some(places, sum(map(len, source.values())), rng):
        change = patch.files[at]
        hunks = tuple(hunk for hunk in change.hunks if hunk is not dropped)
        rest = (diff.FileChange(change.old, change.new, hunks),) if hunks else ()
        reduced = diff.Patch(patch.files[:at] + rest + patch.files[at + 1 :])
        if reduced.files:
            yield diff.apply(reduced, source.get)


def _comment_only(parent: Candidate, source: Mapping[str, str], rng: random.Random) -> Iterator[_Files]:
    """Yield the vulnerable source with a comment where the parent has its changes, and no change."""
    for change in diff.parse(parent.diff).files:
        before = source.get(change.old or "", "")
        if not _parses(before):
            continue
        lines, tree = before.split("\n"), ast.dump(ast.parse(before))
        for hunk in _some(change.hunks, len(before), rng):
            at = min(hunk.old_start + len(hunk.old) // 2, len(lines)) - 1
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            after = "\n".join(
                [*lines[:at], f"{indent}# Input is validated before it comes here.", *lines[at:]]
            )
            if _parses(after) and ast.dump(ast.parse(after)) == tree:
                yield {change.path: after}


def _text(source: Mapping[str, str], files: _Files) -> str:
    """Return the diff that makes these files of the source."""
    return "".join(_file(path, source.get(path), files[path]) for path in sorted(files))


@lru_cache(maxsize=64)
def _file(path: str, before: str | None, after: str | None) -> str:
    old, new = ({} if text is None else {path: text} for text in (before, after))
    return diff.between(old, new)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _identity(text: str) -> str:
    try:
        return diff.parse(text).identity
    except DiffError:
        return ""
