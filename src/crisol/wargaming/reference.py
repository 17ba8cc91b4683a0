"""The reference fix as a yardstick: generated inputs on which a patch must do what the reference does.

An input counts only where executing the vulnerable code and the reference has shown what it is: *hostile* when the
PoV still succeeds on the one and fails on the other, *benign* when both do the same and neither raises. What comes
out differently the second time counts for nothing. So a right patch may refuse otherwise than the reference, with
another exception, message or helper, and may differ on every input that the reference itself treats anew. A change
of a word that the program or the patch knows (``GET``, ``image/png``) makes no datum and counts for nothing either.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crisol import diff
from crisol.errors import CrisolError
from crisol.sandbox import Ending
from crisol.sandbox.bounded import OutOfBounds
from crisol.wargaming.candidates import read_source, reference
from crisol.wargaming.examining import spoken
from crisol.wargaming.inputs import touches
from crisol.wargaming.programs import Answer, Program, answers, programs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crisol.sandbox import Target
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Yardstick", "measure"]

_POOL = 64
"""Inputs that are tried for each kind, of which the best are kept."""
_KEPT = 16
_REPEATS = 3
"""How often what speaks against a patch must come again before it counts."""
_SHOWN, _CLOSED = "exit 0", "exit 1"

_Files = dict[str, bytes | None]
_May = Callable[[Program, Answer], bool]
"""Whether what the vulnerable code answers lets a program count."""
_Does = Callable[[Answer, Answer], bool]
"""Whether the reference's answer then makes it count."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What the reference does on the inputs that count; empty where there is no reference."""

    hostile: tuple[Program, ...] = ()
    benign: tuple[Program, ...] = ()
    expected: tuple[Answer, ...] = ()
    """Of each benign program."""
    fix: Mapping[str, bytes | None] = field(default_factory=dict)
    """The files that the reference changes."""

    def partial(self, target: Target, files: Mapping[str, bytes | None]) -> str:
        """Say which generated PoV still succeeds on the patched tree; empty when none does.

        A patch that does not live to answer all of them is not called partial for that, and one that is open by
        chance only, or where the reference is, too, counts for nothing.
        """
        left = self._ended(target, files, _SHOWN)
        for _ in range(_REPEATS):
            left = left and left & self._ended(target, files, _SHOWN) & self._ended(target, self.fix, _CLOSED)
        return next((each.title for each in self.hostile if each.number in left), "")

    def _ended(self, target: Target, files: Mapping[str, bytes | None], ending: str) -> frozenset[int]:
        """Return the numbers of the generated PoVs that end so; none where the run did not live to tell."""
        told = answers(target, self.hostile, files) if self.hostile else {}
        if isinstance(told, Ending):
            return frozenset()
        return frozenset(number for number, answer in told.items() if answer.ending == ending)

    def divergence(self, target: Target, files: Mapping[str, bytes | None]) -> str:
        """Say on which benign input, and how, the patched tree differs from the reference; empty when on none."""
        told = answers(target, self.benign, files) if self.benign else {}
        if isinstance(told, Ending):
            return f"the reference answers {len(self.benign)} benign inputs, the patch ended as {told}"
        words = _words(files)
        found = {
            program: difference
            for program, expected in zip(self.benign, self.expected, strict=True)
            if not touches(words, program.before, program.after)
            and (difference := _difference(expected, told[program.number]))
        }
        for _ in range(_REPEATS if found else 0):
            found = self._confirmed(target, files, found)
        return next((f"{program.title}: {difference}" for program, difference in found.items()), "")

    def _confirmed(
        self, target: Target, files: Mapping[str, bytes | None], found: Mapping[Program, str]
    ) -> dict[Program, str]:
        """Keep the differences that come again; where the reference contradicts itself, chance speaks."""
        again, told = (answers(target, self.benign, each) for each in (self.fix, files))
        if isinstance(again, Ending):
            return {}
        if isinstance(told, Ending):
            return dict(found)
        expected = dict(zip(self.benign, self.expected, strict=True))
        return {
            program: difference
            for program, difference in found.items()
            if again[program.number] == expected[program]
            and _difference(expected[program], told[program.number])
        }


def measure(vulnerability: Vulnerability, tree: Path, cache: Path, target: Target) -> Yardstick:
    """Generate inputs and keep those that the vulnerable code and the reference show to count.

    Raises :class:`~crisol.errors.SandboxError` as any run does.
    """
    fix = _files(vulnerability, tree, cache)
    if fix is None:
        return Yardstick()
    hostile = _agreeing(target, fix, programs(vulnerability.povs, _POOL), _shows, _closed)
    words = _words(fix)
    data = [
        each for each in programs(vulnerability.checks, _POOL) if not touches(words, each.before, each.after)
    ]
    benign = _agreeing(target, fix, data, _works, _equal)
    return Yardstick(tuple(hostile), tuple(benign), tuple(benign.values()), fix)


def _files(vulnerability: Vulnerability, tree: Path, cache: Path) -> _Files | None:
    """Return the files that the reference changes, or None where there is no usable one."""
    candidate = reference(vulnerability, cache)
    if candidate is None:
        return None
    try:
        patched = diff.apply(diff.parse(candidate.diff), lambda path: read_source(tree, path))
    except CrisolError:
        return None
    return {name: None if text is None else text.encode() for name, text in patched.items()}


def _words(files: Mapping[str, bytes | None]) -> frozenset[str]:
    """Return what the Python files of a patch know by name; nothing of those that cannot be read within bounds."""
    words: frozenset[str] = frozenset()
    for name, text in files.items():
        if text and name.endswith(".py"):
            with suppress(OutOfBounds):
                words |= spoken(text)
    return words


def _agreeing(
    target: Target, fix: _Files, pool: Sequence[Program], may: _May, does: _Does
) -> dict[Program, Answer]:
    """Return the programs that count, twice over, with the reference's answer.

    The second time only those run that were kept, in the order in which every patch will run them.
    """
    kept = list(pool)
    first: dict[int, Answer] = {}
    for _ in range(2):
        before = answers(target, kept, {}) if kept else {}
        if isinstance(before, Ending):
            return {}
        kept = [each for each in kept if may(each, before[each.number])]
        after = answers(target, kept, fix) if kept else {}
        if isinstance(after, Ending):
            return {}
        kept = [
            each
            for each in kept
            if does(before[each.number], after[each.number])
            and first.get(each.number, after[each.number]) == after[each.number]
        ]
        if not first:
            kept = _best(kept, after)
            first = {each.number: after[each.number] for each in kept}
    return {each: first[each.number] for each in kept}


def _best(kept: Sequence[Program], after: Mapping[int, Answer]) -> list[Program]:
    """Prefer inputs that lead to answers which no other input gave, then spread over the scripts."""
    ranked: dict[tuple[bool, int], list[Program]] = {}
    seen: set[Answer] = set()
    turns: dict[str, int] = {}
    for each in kept:
        answer = after[each.number]
        new = answer not in seen
        seen.add(answer)
        turns[each.name] = turns.get(each.name, 0) + 1
        ranked.setdefault((not new, turns[each.name]), []).append(each)
    ordered = [each for rank in sorted(ranked) for each in ranked[rank]]
    return sorted(ordered[:_KEPT], key=lambda each: each.number)


def _shows(program: Program, before: Answer) -> bool:
    return program.changed and before.ending == _SHOWN


def _closed(_before: Answer, after: Answer) -> bool:
    return after.ending == _CLOSED


def _works(_program: Program, before: Answer) -> bool:
    return before.ending in {"done", _SHOWN} and bool(before.seen)


def _equal(before: Answer, after: Answer) -> bool:
    return before == after


def _difference(expected: Answer, told: Answer) -> str:
    for at, value in enumerate(expected.seen):
        found = told.seen[at] if at < len(told.seen) else told.ending
        if found != value:
            return f"{found:.120} where the reference gives {value:.120}"
    return "" if told.ending == expected.ending else f"{told.ending} where the reference is {expected.ending}"
