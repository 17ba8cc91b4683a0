"""Features of small edits, such as exchanged names, added guards, constant conditions and broad handlers."""

from __future__ import annotations

from collections.abc import Callable

from crisol.model import vocabulary as words
from crisol.model.reading import DiffSide, Reading

__all__ = ["EDITS"]

_GUARD_REACH = 30


def _similarity(reading: Reading) -> float:
    whole = len(reading.added.tokens) + len(reading.removed.tokens)
    return 2 * reading.kept / whole if whole else 0.0


def _reordered(reading: Reading) -> float:
    return float(bool(reading.removed.tokens) and reading.added.counts == reading.removed.counts)


def _known(reading: Reading) -> float:
    names = reading.added.names
    return len(reading.context.intersection(names)) / len(names) if names else 0.0


def _guards(side: DiffSide) -> int:
    """Return how many conditions, such as ``if``, are closely followed by a jump, such as ``return``."""
    tokens = side.tokens
    guards, exit_at = 0, len(tokens) + _GUARD_REACH
    for at in reversed(side.marks):
        if tokens[at] in words.LEAVES:
            exit_at = at
        elif tokens[at] in words.TESTS:
            guards += exit_at - at < _GUARD_REACH
    return guards


def _constant(side: DiffSide) -> int:
    tokens, last = side.tokens, len(side.tokens) - 1
    constant = 0
    for at in side.marks:
        if tokens[at] in words.TESTS:
            start = _after_keyword(tokens, at)
            if start < last and tokens[start].lower() in words.CONSTANTS:
                constant += tokens[start + 1].lower() in words.AFTER_CONSTANT
    return constant


def _catches_all(side: DiffSide) -> int:
    tokens = side.tokens
    broad = 0
    for at in side.marks:
        if tokens[at] in words.HANDLERS:
            start = _after_keyword(tokens, at)
            broad += start < len(tokens) and tokens[start].lower() in words.BROAD
    return broad


def _after_keyword(tokens: list[str], at: int) -> int:
    return at + 2 if at + 1 < len(tokens) and tokens[at + 1] == "(" else at + 1


def _returns_nothing(side: DiffSide) -> int:
    tokens, last = side.tokens, len(side.tokens) - 1
    return sum(
        [at < last and tokens[at] == "return" and tokens[at + 1].lower() in words.EMPTY for at in side.marks]
    )


def _calls_only(side: DiffSide, other: DiffSide) -> int:
    return len(set(side.calls).difference(other.calls, words.BRANCHES, words.LOOPS))


def _calls_known(reading: Reading) -> int:
    return len(reading.context.intersection(reading.added.calls).difference(words.BRANCHES, words.LOOPS))


EDITS: tuple[tuple[str, str, str, Callable[[Reading], float]], ...] = (
    ("tokens_gained", "tokens", "Tokens added beyond those removed.", lambda r: sum(r.gained.values())),
    ("tokens_lost", "tokens", "Tokens removed beyond those added.", lambda r: sum(r.lost.values())),
    ("similarity", "share", "Tokens that both sides have, twice, of all tokens (Dice).", _similarity),
    ("reordered", "flag", "Whether both sides hold the very same tokens.", _reordered),
    (
        "only_adds",
        "flag",
        "Whether no code is removed.",
        lambda r: float(bool(r.added.tokens) and not r.removed.tokens),
    ),
    (
        "only_removes",
        "flag",
        "Whether no code is added.",
        lambda r: float(bool(r.removed.tokens) and not r.added.tokens),
    ),
    ("names_swapped", "names", "Names exchanged for others.", lambda r: r.swapped[0]),
    (
        "numbers_swapped",
        "tokens",
        "Numbers exchanged for others.",
        lambda r: r.swapped[1],
    ),
    (
        "operators_swapped",
        "tokens",
        "Operators exchanged for others.",
        lambda r: r.swapped[2],
    ),
    (
        "arithmetic_net",
        "tokens",
        "Arithmetic operators, added less removed.",
        lambda r: (
            sum([r.added.counts[operator] for operator in words.ARITHMETIC])
            - sum([r.removed.counts[operator] for operator in words.ARITHMETIC])
        ),
    ),
    ("names_known", "share", "Share of the added names that the context shows.", _known),
    ("guards_added", "tests", "Added conditions that lead straight out.", lambda r: _guards(r.added)),
    (
        "guards_net",
        "tests",
        "Conditions that lead straight out, added less removed.",
        lambda r: _guards(r.added) - _guards(r.removed),
    ),
    ("constant_tests", "tests", "Added conditions that are constant.", lambda r: _constant(r.added)),
    ("broad_catches", "handlers", "Added handlers that catch everything.", lambda r: _catches_all(r.added)),
    ("returns_nothing", "returns", "Added returns of nothing.", lambda r: _returns_nothing(r.added)),
    (
        "calls_gained",
        "names",
        "Functions called only by added lines.",
        lambda r: _calls_only(r.added, r.removed),
    ),
    (
        "calls_lost",
        "names",
        "Functions called only by removed lines.",
        lambda r: _calls_only(r.removed, r.added),
    ),
    ("calls_known", "names", "Functions called by added lines that the context shows.", _calls_known),
    (
        "lines_a_hunk",
        "lines",
        "Changed lines for each hunk.",
        lambda r: (r.added.lines + r.removed.lines) / r.hunks if r.hunks else 0.0,
    ),
)
"""Name, unit, meaning and measure of each feature."""
