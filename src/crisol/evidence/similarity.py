r"""The sketch of a patch: the changed places, lines and tokens by which patches are compared.

In this example the patch adds the token ``<`` once.

>>> from crisol.diff import parse
>>> guard = parse("--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n read(name)\n+if name < 9: stop()\n")
>>> sketch(guard).gained["<"]
1

Only patches of one vulnerability are compared. They change the same vulnerable tree, so a line number of the
old side means the same place in both. Comments and layout are no part of a sketch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from crisol.diff import Patch

__all__ = ["KINDS", "PARTS", "Sketch", "by_kind", "sketch"]

PARTS = ("places", "areas", "files", "added", "removed", "gained", "lost", "names", "runs")
"""The kinds of parts of a sketch, in order: the numbers of the changed lines, in the old file; the blocks of
eight lines in which these lie; the changed files; the added lines; the removed lines; the tokens that the
patch adds more often than it removes them; those that it removes more often; the names in added lines; and
the runs of three tokens in changed lines."""

KINDS = ("branch", "logic", "exit", "handler", "import", "compare", "number", "text", "name", "other")
"""The kinds of tokens."""

_WORDS = {
    **dict.fromkeys(("if", "elif", "while", "for"), 0),
    **dict.fromkeys(("and", "or", "not", "in", "is", "&", "|"), 1),
    **dict.fromkeys(("return", "raise", "break", "continue"), 2),
    **dict.fromkeys(("try", "except", "finally", "with"), 3),
    **dict.fromkeys(("import", "from"), 4),
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">="), 5),
}
_TOKEN = re.compile(
    r"[^\W\d]\w*|\d[\w.]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[=!<>*/+\-%&|^]=|->|\*\*|//|<<|>>|\S"
)
_AREA = 8
_MOST_ITEMS = 1_000
_MOST_LINES = 5_000
_MOST_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Sketch:
    """The parts of a patch by which it is compared with other patches of the same vulnerability.

    ``parts`` holds one tuple of hashes for each name in :data:`PARTS`, in that order. A tuple has at most
    1,000 hashes, which are valid in this process only. ``gained`` holds each token that the patch adds more
    often than it removes it; its count is the surplus. ``lost`` holds each token that the patch removes more
    often, with its surplus. ``added`` and ``removed`` are the numbers of added and removed code lines.
    """

    parts: tuple[tuple[int, ...], ...]
    gained: Counter[str]
    lost: Counter[str]
    added: int
    removed: int


def sketch(patch: Patch) -> Sketch:
    """Return the sketch of a patch, by which it is compared with other patches of the same vulnerability.

    Changed lines after the first 5,000 are ignored.
    """
    items: tuple[dict[object, None], ...] = tuple({} for _ in PARTS)
    places, areas, files, added, removed, gained, lost, names, runs = items
    sides = {"+": Counter[str](), "-": Counter[str]()}
    lines = {"+": 0, "-": 0}
    for tag, path, at, line in _changed(patch):
        files[path] = None
        # An insertion lies between two lines of the old side.
        places[path, at, tag == "+"] = None
        areas[path, at // _AREA] = None
        tokens = _tokens(line)
        if not tokens:
            continue
        lines[tag] += 1
        sides[tag].update(tokens)
        (added if tag == "+" else removed)[" ".join(tokens)] = None
        framed = ["", *tokens, ""]
        triples = zip(framed[:-2], tokens, framed[2:], strict=True)
        runs.update(dict.fromkeys((tag, *triple) for triple in triples))
        if tag == "+":
            names.update(dict.fromkeys(token for token in tokens if token[0].isalpha() or token[0] == "_"))
    came, went = sides["+"] - sides["-"], sides["-"] - sides["+"]
    gained.update(dict.fromkeys((token, n) for token, count in came.items() for n in range(min(count, 6))))
    lost.update(dict.fromkeys((token, n) for token, count in went.items() for n in range(min(count, 6))))
    parts = tuple(tuple(map(hash, list(part)[:_MOST_ITEMS])) for part in items)
    return Sketch(parts, came, went, lines["+"], lines["-"])


def by_kind(tokens: Counter[str]) -> list[float]:
    """Return how many tokens are of each kind, one number for each entry of :data:`KINDS`, in that order.

    ``tokens`` maps each token to its count.
    """
    counts = [0.0] * len(KINDS)
    for token, count in tokens.items():
        counts[_kind(token)] += count
    return counts


def _changed(patch: Patch) -> Iterable[tuple[str, str, int, str]]:
    left = _MOST_LINES
    for change in patch.files:
        for hunk in change.hunks:
            at = hunk.old_start
            for line in hunk.lines:
                tag = line[0]
                if tag != " ":
                    yield tag, change.path, at, line[1:]
                    left -= 1
                    if not left:
                        return
                if tag != "+":
                    at += 1


def _tokens(line: str) -> list[str]:
    line = line[:_MOST_CHARACTERS].strip()
    if not line or line[0] == "#":
        return []
    tokens: list[str] = _TOKEN.findall(line)
    return tokens[: tokens.index("#")] if "#" in tokens else tokens


def _kind(token: str) -> int:
    kind = _WORDS.get(token)
    if kind is not None:
        return kind
    first = token[0]
    if first.isdigit():
        return 6
    if first in "\"'":
        return 7
    return 8 if first.isalpha() or first == "_" else 9
