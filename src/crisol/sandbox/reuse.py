"""Find the lines of a patched file that the patch did not change.

A release may read frames and code objects, such as ``__code__``, for a good reason. The audit hook of
:mod:`.guard` ends a run if code of a patched file reads them, unless the patch left that code unchanged. Code
in a function counts as unchanged only if the whole function is unchanged, code outside functions only if its
whole statement is unchanged. If the patched file has more copies of a function than the release, the surplus
copies count as changed.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

from crisol.sandbox.guard import LOOKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["untouched"]

_WORDS = re.compile(
    rb"\b(?:" + "|".join(sorted({*LOOKING, "_getframe", "attrgetter", "getattr"})).encode() + rb")\b"
)


def untouched(before: bytes | None, after: bytes) -> list[tuple[int, int]]:
    """Return the line ranges of a patched file in which no function or statement was changed.

    ``before`` is the text of the unpatched file, None if the file is new; ``after`` is the text of the
    patched one. A range is (first, last), both included, counted from 1. The list is empty for a new file,
    and if one of the two texts does not parse. It is also empty unless both texts contain a name by which
    code can read frames or code objects, such as ``f_code`` or ``getattr``: the audit hook needs no ranges
    then.
    """
    if before is None or not _WORDS.search(before) or not _WORDS.search(after):
        return []
    try:
        released = Counter(text for text, *_ in _units(ast.parse(before), ""))
        units = list(_units(ast.parse(after), ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    old: list[tuple[int, int]] = []
    new: set[int] = set()
    for text, first, last in units:
        if released[text]:
            released[text] -= 1
            old.append((first, last))
        else:
            new.update(range(first, last + 1))
    # Two statements may share a line; the line counts as unchanged only if both are.
    return [lines for lines in old if new.isdisjoint(range(lines[0], lines[1] + 1))]


def _units(body: ast.Module | ast.ClassDef, path: str) -> Iterator[tuple[str, int, int]]:
    """Yield (text, first line, last line) for each function, class head and other statement of a body.

    Two parts are the same code if their texts are equal. A text is ``path`` and the part's syntax tree,
    without its layout; ``path`` is the qualified name of the class ``body`` with a final dot, or "" for a
    module.
    """
    for node in body.body:
        match node:
            case ast.ClassDef():
                head: list[ast.expr | ast.keyword] = [*node.decorator_list, *node.bases, *node.keywords]
                first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
                last = max([node.lineno, *(part.end_lineno or 0 for part in head)])
                yield f"{path}{node.name}({', '.join(map(ast.dump, head))})", first, last
                yield from _units(node, f"{path}{node.name}.")
                continue
            case (
                ast.FunctionDef(decorator_list=[first_one, *_])
                | ast.AsyncFunctionDef(decorator_list=[first_one, *_])
            ):
                # A decorator gets the function that follows, which the patch may have changed.
                told = ", ".join(map(ast.dump, node.decorator_list))
                yield f"{path}{node.name}@{told}", first_one.lineno, node.lineno - 1
        yield f"{path}:{ast.dump(node)}", node.lineno, node.end_lineno or node.lineno
