r"""Numbers that describe a diff: named, documented, versioned, the same for every language.

>>> from crisol.diff import parse
>>> patch = parse("--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n+assert a\n a = 1\n")
>>> values = vector(patch, "CWE-20")
>>> values[index("lines_added")], values[index("adds_validation")]
(1.0, 1.0)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from crisol.diff import Patch
from crisol.model import vocabulary as words
from crisol.model.classic import CLASSIC
from crisol.model.edits import EDITS
from crisol.model.reading import DiffSide, Reading, read

__all__ = ["FEATURES", "FEATURE_VERSION", "Feature", "index", "measure", "vector"]

FEATURE_VERSION = "4"
"""The version of the features: it changes when a diff would get other numbers. A model refuses others."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: a number that ``measure`` computes from the :class:`Reading` of a patch.

    ``doc`` says in a sentence what the number means, ``unit`` what it counts, such as ``lines``. ``group`` is
    the name of its feature group.
    """

    name: str
    unit: str
    group: str
    doc: str
    measure: Callable[[Reading], float]


def vector(patch: Patch, cwe: str) -> list[float]:
    """Return the value of every feature of a patch, in the order of the tuple :data:`FEATURES`.

    ``cwe`` is the CWE of the flaw, as ``CWE-79`` or ``79``; any other text means unknown.
    """
    return measure(read(patch, cwe))


def measure(reading: Reading, first: int | None = None) -> list[float]:
    """Return the features of a reading, in the order of :data:`FEATURES`, the tuple of all features.

    ``first`` limits the result to that many features, from the start of the tuple; None returns all.
    """
    return [float(compute(reading)) for compute in _MEASURES[:first]]


def index(name: str) -> int:
    """Return the position, from 0, of the feature named ``name`` in the list that :func:`vector` returns.

    Raises KeyError for an unknown name.
    """
    return _INDEX[name]


def _count(side: DiffSide, vocabulary: frozenset[str]) -> int:
    count = side.words
    if count.keys().isdisjoint(vocabulary):
        return 0
    return sum([count[word] for word in vocabulary if word in count])


def _named(side: DiffSide, vocabulary: frozenset[str]) -> int:
    return sum([count for word, count in side.parts.items() if word in vocabulary])


def _net(vocabulary: frozenset[str]) -> Callable[[Reading], float]:
    return lambda r: _count(r.added, vocabulary) - _count(r.removed, vocabulary)


def _net_named(vocabulary: frozenset[str]) -> Callable[[Reading], float]:
    return lambda r: _named(r.added, vocabulary) - _named(r.removed, vocabulary)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _quotes(side: DiffSide) -> int:
    return side.counts['"'] + side.counts["'"]


def _remedy(reading: Reading, *, net: bool) -> float:
    family = words.family(reading.cwe)
    if not family:
        return 0.0
    vocabulary = words.REMEDIES[family]
    return _named(reading.added, vocabulary) - (_named(reading.removed, vocabulary) if net else 0)


_Row = tuple[str, str, str, Callable[[Reading], float]]

_SHAPE: tuple[_Row, ...] = (
    ("context_lines", "lines", "Context lines.", lambda r: r.context_lines),
    ("spots", "runs", "Runs of changed lines with context between them.", lambda r: r.spots),
    ("pure_insertions", "share", "Share of hunks that only add.", lambda r: _share(r.insertions, r.hunks)),
    ("pure_deletions", "share", "Share of hunks that only remove.", lambda r: _share(r.deletions, r.hunks)),
    (
        "tokens_added",
        "log tokens",
        "Logarithm of the tokens added.",
        lambda r: math.log1p(len(r.added.tokens)),
    ),
    (
        "tokens_removed",
        "log tokens",
        "Logarithm of the tokens removed.",
        lambda r: math.log1p(len(r.removed.tokens)),
    ),
    (
        "tokens_net",
        "tokens",
        "Tokens added less removed.",
        lambda r: len(r.added.tokens) - len(r.removed.tokens),
    ),
    (
        "tokens_kept",
        "share",
        "Share of the removed tokens that come back.",
        lambda r: _share(r.kept, len(r.removed.tokens)),
    ),
    (
        "line_length",
        "characters",
        "Mean length of added lines.",
        lambda r: _share(r.added.characters, r.added.lines),
    ),
    ("indent_added", "characters", "Deepest indentation added.", lambda r: r.added.indent),
    (
        "indent_net",
        "characters",
        "Deepest added less removed indentation.",
        lambda r: r.added.indent - r.removed.indent,
    ),
    ("created_files", "files", "Files that the patch creates.", lambda r: r.created),
)

_FLOW: tuple[_Row, ...] = (
    ("branches_added", "tokens", "Branch keywords added.", lambda r: _count(r.added, words.BRANCHES)),
    ("branches_net", "tokens", "Branch keywords, added less removed.", _net(words.BRANCHES)),
    ("loops_net", "tokens", "Loop keywords, added less removed.", _net(words.LOOPS)),
    ("exits_added", "tokens", "Returns, breaks and continues added.", lambda r: _count(r.added, words.EXITS)),
    ("exits_net", "tokens", "Returns, breaks and continues, added less removed.", _net(words.EXITS)),
    ("raises_net", "tokens", "Raised errors, added less removed.", _net(words.RAISES)),
    ("catches_net", "tokens", "Keywords of exception handling, added less removed.", _net(words.CATCHES)),
    ("logic_net", "tokens", "And and or, added less removed.", _net(words.LOGIC)),
    ("ands_net", "tokens", "And, added less removed.", _net(words.ANDS)),
    ("negations_net", "tokens", "Negations, added less removed.", _net(words.NEGATIONS)),
    ("comparisons_net", "tokens", "Comparisons, added less removed.", _net(words.COMPARISONS)),
    ("inequalities_net", "tokens", "Orderings, added less removed.", _net(words.ORDERINGS)),
    ("nothing_net", "tokens", "None and null, added less removed.", _net(words.NOTHING)),
    ("pass_added", "tokens", "Pass added: an error is swallowed.", lambda r: r.added.counts["pass"]),
    (
        "returns_constant",
        "tokens",
        "True and false added.",
        lambda r: _count(r.added, words.BOOLEANS),
    ),
)

_NAMES: tuple[_Row, ...] = (
    ("calls_added", "calls", "Calls added.", lambda r: len(r.added.calls)),
    ("calls_net", "calls", "Calls, added less removed.", lambda r: len(r.added.calls) - len(r.removed.calls)),
    ("names_fresh", "names", "Added names that the rest of the diff does not show.", lambda r: r.fresh),
    (
        "names_fresh_share",
        "share",
        "Share of the different added tokens that the rest of the diff does not show.",
        lambda r: _share(r.fresh, len(r.added.counts)),
    ),
    ("imports_added", "lines", "Import lines added.", lambda r: r.added.imports),
    ("numbers_added", "tokens", "Number literals added.", lambda r: r.added.numbers),
    (
        "numbers_net",
        "tokens",
        "Number literals, added less removed.",
        lambda r: r.added.numbers - r.removed.numbers,
    ),
    (
        "quotes_net",
        "tokens",
        "Quotation marks, added less removed.",
        lambda r: _quotes(r.added) - _quotes(r.removed),
    ),
    ("slices_net", "tokens", "Opening brackets, added less removed.", _net(frozenset({"["}))),
    ("assignments_net", "tokens", "Assignments, added less removed.", _net(frozenset({"="}))),
    ("arguments_net", "tokens", "Commas, added less removed.", _net(frozenset({","}))),
    ("regex_marks_net", "tokens", "Marks that patterns use, added less removed.", _net(words.REGEX_MARKS)),
)

_SECURITY: tuple[_Row, ...] = (
    ("validation_added", "words", "Words of validation added.", lambda r: _named(r.added, words.VALIDATION)),
    ("validation_net", "words", "Words of validation, added less removed.", _net_named(words.VALIDATION)),
    ("sinks_added", "words", "Words of dangerous calls added.", lambda r: _named(r.added, words.SINKS)),
    ("sinks_net", "words", "Words of dangerous calls, added less removed.", _net_named(words.SINKS)),
    ("bounds_net", "words", "Words of limits and lengths, added less removed.", _net_named(words.BOUNDS)),
    (
        "replace_added",
        "words",
        "Replace and strip added: a filter.",
        lambda r: _named(r.added, words.FILTERS),
    ),
    (
        "prefix_added",
        "words",
        "Prefix, suffix and search tests added.",
        lambda r: _named(r.added, words.PREFIXES),
    ),
    ("lower_added", "words", "Changes of case added.", lambda r: _named(r.added, words.CASES)),
    ("remedy_added", "words", "Words of the CWE's usual remedy added.", lambda r: _remedy(r, net=False)),
    (
        "remedy_net",
        "words",
        "Words of the CWE's usual remedy, added less removed.",
        lambda r: _remedy(r, net=True),
    ),
    (
        "remedy_missing",
        "flag",
        "Whether the CWE has a usual remedy and the patch adds no word of it.",
        lambda r: float(bool(words.family(r.cwe)) and _remedy(r, net=False) == 0),
    ),
)


def _of_family(name: str) -> Callable[[Reading], float]:
    return lambda r: float(words.family(r.cwe) == name)


_FAMILIES: tuple[_Row, ...] = tuple(
    (f"cwe_{name}", "flag", f"Whether the CWE is of the family {name!r}.", _of_family(name))
    for name in words.FAMILIES
)

FEATURES: tuple[Feature, ...] = tuple(
    Feature(name, unit, group, doc, compute)
    for group, rows in (
        ("classic", CLASSIC),
        ("shape", _SHAPE),
        ("flow", _FLOW),
        ("names", _NAMES),
        ("edit", EDITS),
        ("security", _SECURITY),
        ("weakness", _FAMILIES),
    )
    for name, unit, doc, compute in rows
)
"""Every feature, in the order of a model's columns; the classic ones come first."""

_MEASURES = tuple(feature.measure for feature in FEATURES)
_INDEX = {feature.name: position for position, feature in enumerate(FEATURES)}
