"""The hashed words of a patch: tokens, pairs of tokens and short runs of characters that it changes."""

from __future__ import annotations

from itertools import pairwise

from crisol.model.reading import DiffSide, Reading

__all__ = ["ngrams"]

_MAX_TOKENS = 20_000
_RUN = 4


def ngrams(reading: Reading) -> list[str]:
    """Return the tokens, pairs of tokens and runs of four characters of the changed lines, with repetitions.

    Each text in the result begins with ``+`` for an added line or ``-`` for a removed line; a run of
    characters has ``~`` after that sign. So ``if (x`` in an added line gives ``+if``, ``+if (`` and
    ``+~if (``, among others. Numbers become ``0``. Comments are left out. At most 20,000 tokens of the added
    lines and 20,000 of the removed lines are read.
    """
    return [*_pieces(reading.added, "+"), *_pieces(reading.removed, "-")]


def _pieces(side: DiffSide, sign: str) -> list[str]:
    tokens = ["0" if token[0].isdigit() else token for token in side.tokens[:_MAX_TOKENS]]
    text = " ".join(tokens)
    runs = [f"{sign}~{text[at : at + _RUN]}" for at in range(len(text) - _RUN + 1)]
    return [
        *(sign + token for token in tokens),
        *(f"{sign}{first} {second}" for first, second in pairwise(tokens)),
        *runs,
    ]
