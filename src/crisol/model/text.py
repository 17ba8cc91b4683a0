"""The words of a patch: tokens and pairs of tokens that it adds or takes away."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from crisol.model.reading import Reading, Side

__all__ = ["ngrams"]

_MAX_TOKENS = 20_000


def ngrams(reading: Reading) -> list[str]:
    """Return what occurs more often on one side than on the other, each once: ``+if``, ``-eval (``.

    Numbers are one word, since their digits say nothing of another program. At most 20,000 tokens of a side count.
    """
    added, removed = _grams(reading.added), _grams(reading.removed)
    return [f"+{gram}" for gram in added - removed] + [f"-{gram}" for gram in removed - added]


def _grams(side: Side) -> Counter[str]:
    tokens = ["0" if token[0].isdigit() else token for token in side.tokens[:_MAX_TOKENS]]
    grams = Counter(tokens)
    grams.update(f"{one} {two}" for one, two in pairwise(tokens))
    return grams
