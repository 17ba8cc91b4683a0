"""Features: how similar the code that a patch touches is to two texts of the vulnerability.

The texts are its description and its public PoV.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from crisol.model.source.change import Change

__all__ = ["added_words", "likeness", "touched_words"]

_WORD = re.compile(r"[A-Za-z]{3,30}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MAX_CHARACTERS = 50_000
_COMMON = frozenset(
    [
        "the",
        "and",
        "for",
        "that",
        "not",
        "with",
        "from",
        "this",
        "are",
        "but",
        "one",
        "its",
        "can",
        "has",
        "was",
        "which",
        "when",
        "where",
        "while",
        "what",
        "there",
        "into",
        "than",
        "then",
        "them",
        "import",
        "def",
        "return",
        "class",
        "self",
        "none",
        "true",
        "false",
        "print",
        "assert",
        "sys",
        "exit",
        "raise",
        "except",
        "try",
        "else",
        "elif",
        "pass",
    ]
)


def likeness(code: Iterable[str], text: str, change: Change) -> float:
    """Return the cosine similarity, in [0, 1], between the words of ``code`` and those of ``text``.

    ``code`` holds words as :func:`added_words` and :func:`touched_words` return them. ``text`` is plain text,
    such as a description; only its first 50,000 characters are read. A word weighs (1 + the logarithm of its
    count) times its inverse document frequency, where the lines of the files in ``change``, before the patch,
    are the documents. The result is 0 where no word is in both.
    """
    counts, described = Counter(code), _counted(text[:_MAX_CHARACTERS])
    if not counts or not described:
        return 0.0
    rare = _rarity("\n".join(file.old_text for file in change.files)[:_MAX_CHARACTERS])
    most = max(rare.values(), default=1.0)
    sides = [
        {word: (1 + math.log(count)) * rare.get(word, most) for word, count in side.items()}
        for side in (counts, described)
    ]
    shared = sum(weight * sides[1].get(word, 0.0) for word, weight in sides[0].items())
    norms = [math.sqrt(sum(weight * weight for weight in side.values())) for side in sides]
    return shared / (norms[0] * norms[1]) if all(norms) else 0.0


def added_words(change: Change) -> list[str]:
    """Return the words of the lines that a patch adds, in lower case, in order and with repetitions.

    A word has 3 to 30 letters; common words such as ``the`` and ``return`` are left out.
    """
    return [
        word
        for file in change.files
        for number, line in enumerate(file.new_text.split("\n"), 1)
        if number in file.added
        for word in _words(line)
    ]


def touched_words(change: Change) -> list[str]:
    """Return the words of the functions that a patch changes, taken from their text before the patch.

    The words are in lower case, with repetitions. A word has 3 to 30 letters; common words such as ``the``
    and ``return`` are left out.
    """
    words: list[str] = []
    for file in change.files:
        lines = file.old_text.split("\n")
        for before, _ in file.functions:
            if before is not None:
                words += _words("\n".join(lines[before.lineno - 1 : before.end_lineno])[:_MAX_CHARACTERS])
    return words


def _words(text: str) -> list[str]:
    parts = (part.lower() for word in _WORD.findall(text) for part in _CAMEL.split(word))
    return [part for part in parts if len(part) > 2 and part not in _COMMON]


@lru_cache(maxsize=1024)
def _counted(text: str) -> Counter[str]:
    return Counter(_words(text))


@lru_cache(maxsize=256)
def _rarity(text: str) -> dict[str, float]:
    lines = text.split("\n")
    frequency = Counter(word for line in lines for word in set(_words(line)))
    return {word: math.log((1 + len(lines)) / (1 + count)) + 1 for word, count in frequency.items()}
