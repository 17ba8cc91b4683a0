"""The naming style of a patch's author, measured on the names that the patch adds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from keyword import iskeyword

from crisol.model.reading import Reading

__all__ = ["NAMING", "naming"]

_CAMEL = re.compile(r"[a-z\d][A-Z]")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")

NAMING = (
    "names_new",
    "name_length",
    "name_length_most",
    "name_words",
    "names_single_letter",
    "names_snake_case",
    "names_camel_case",
    "names_capitals",
    "names_private",
)
"""The numbers of :func:`naming`: a logarithm, characters, characters, words, and shares of the new names."""


def naming(reading: Reading) -> list[float]:
    """Return nine numbers that describe how the new names of a patch are formed.

    They are the logarithm of 1 + the number of new names; the mean and the largest length of a new name in
    characters; the mean number of words in a new name (``max_size`` has two); and the shares of new names
    that are a single letter, in snake case, in camel case, in capitals, or private (with a leading
    underscore). A name in added lines is new if neither the removed lines nor the context contain it;
    Python's keywords do not count. All numbers are 0 for a patch without a new name.
    """
    fresh = reading.added.counts.keys() - reading.context - reading.removed.counts.keys()
    names = [name for name in fresh if name.isidentifier() and not iskeyword(name)]
    if not names:
        return [0.0] * len(NAMING)
    lengths = [len(name) for name in names]
    return [
        math.log1p(len(names)),
        sum(lengths) / len(names),
        float(max(lengths)),
        sum(len(_WORDS.findall(name)) for name in names) / len(names),
        _share(names, lambda name: len(name.strip("_")) == 1),
        _share(names, lambda name: "_" in name.strip("_") and name.islower()),
        _share(names, lambda name: _CAMEL.search(name) is not None),
        _share(names, lambda name: len(name) > 1 and name.isupper()),
        _share(names, lambda name: name.startswith("_") and not name.endswith("__")),
    ]


def _share(names: Collection[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, names)) / len(names)
