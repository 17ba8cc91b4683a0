"""Parse untrusted Python sources, with limits on size and nesting.

>>> parsed("a = 1").body[0].value.value
1
>>> parsed("a = (") is None
True
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

__all__ = ["parsed", "source_lines"]

_MAX_CHARACTERS = 1_000_000
_MAX_NESTING = 60


@lru_cache(maxsize=256)
def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of an untrusted Python source; None if it does not parse or is too large.

    The limits are 1,000,000 characters, 60 open brackets and 60 levels of indentation. The tree is shared by
    all callers with the same text: do not change it.
    """
    if len(text) > _MAX_CHARACTERS or "\0" in text or not _shallow(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def source_lines(text: str) -> list[str]:
    r"""Return the lines of a source as :mod:`ast` counts them, without their line ends.

    A line ends with ``\n``, ``\r\n`` or ``\r``; ``str.splitlines`` also splits at U+2028 and the like.

    >>> source_lines("a\rb\u2028c\r\n")
    ['a', 'b\u2028c', '']
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


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
