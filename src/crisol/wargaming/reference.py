"""Compare a patch with the reference on generated inputs: variations of PoVs and of checks.

Runs on the vulnerable code and on the reference decide which inputs count. A variation of a PoV is *hostile*
if it succeeds on the vulnerable code and fails on the reference. A variation of a check is *benign* if both
behave alike and neither raises. All other inputs are ignored, and so is a result that changes when the run is
repeated.

On the patched code every hostile input has to fail, no matter how: a right patch may raise another exception
than the reference, or give another message. On benign inputs the patch has to behave as the reference. On
inputs for which the reference changes the behaviour of a check, any behaviour of the patch is right.

A benign input is ignored, too, if the literal that was changed in it is a word of a file that the reference
or the patch changes (``GET``, ``image/png``), because such a word is code rather than data.
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
from crisol.wargaming.variations import Behaviour, Variation, behaviours, variations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crisol.sandbox import Target
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = ["Yardstick", "measure"]

_POOL = 64
"""The number of inputs that are tried for each kind; the best are kept."""
_KEPT = 16
_REPEATS = 3
"""The number of runs in which a result against a patch must recur before it counts."""
_SHOWN, _CLOSED = "exit 0", "exit 1"

_Files = dict[str, bytes | None]
_May = Callable[[Variation, Behaviour], bool]
"""A function that tells whether a variation may count, by the behaviour of the vulnerable code."""
_Does = Callable[[Behaviour, Behaviour], bool]
"""A function that tells whether it counts, by the behaviour of the vulnerable code and of the reference."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The behaviour of the reference on generated inputs, with which the behaviour of a patch is compared.

    ``hostile`` are variations of PoVs; each of these variations succeeds on the vulnerable code and fails on
    the reference. ``benign`` are variations of checks; ``expected`` is the reference's behaviour on each of
    them, in the same order. ``fix`` maps each path that the reference changes to the new content, None for a
    deleted file. All are empty if there is no reference.
    """

    hostile: tuple[Variation, ...] = ()
    benign: tuple[Variation, ...] = ()
    expected: tuple[Behaviour, ...] = ()
    fix: Mapping[str, bytes | None] = field(default_factory=dict)

    def partial(self, target: Target, files: Mapping[str, bytes | None]) -> str:
        """Return the title of a hostile variation that succeeds on a patched program; "" if there is none.

        A patch with such a variation is only a partial fix. ``target`` is a sandbox over the vulnerable
        release; ``files`` maps the paths of the patched files to their content, None for a deleted file. The
        variation must succeed in every repetition, and fail on the reference each time; a crash or time-out
        is no success. Raises :class:`~crisol.errors.SandboxError` if the sandbox fails.
        """
        left = self._ended(target, files, _SHOWN)
        for _ in range(_REPEATS):
            left = left and left & self._ended(target, files, _SHOWN) & self._ended(target, self.fix, _CLOSED)
        return next((variation.title for variation in self.hostile if variation.number in left), "")

    def _ended(self, target: Target, files: Mapping[str, bytes | None], ending: str) -> frozenset[int]:
        told = behaviours(target, self.hostile, files) if self.hostile else {}
        if isinstance(told, Ending):
            return frozenset()
        return frozenset(number for number, behaviour in told.items() if behaviour.ending == ending)

    def divergence(self, target: Target, files: Mapping[str, bytes | None]) -> str:
        """Return a message on a benign input to which patch and reference react differently, "" if none.

        ``target`` is a sandbox over the vulnerable release; ``files`` maps the paths of the patched files to
        their content, None for a deleted file. If the process that runs the patch ends early, the message
        says so. Raises :class:`~crisol.errors.SandboxError` if the sandbox fails.
        """
        told = behaviours(target, self.benign, files) if self.benign else {}
        if isinstance(told, Ending):
            return f"the reference answers {len(self.benign)} benign inputs, the patch ended as {told}"
        words = _words(files)
        differences = {
            variation: difference
            for variation, expected in zip(self.benign, self.expected, strict=True)
            if not touches(words, variation.before, variation.after)
            and (difference := _difference(expected, told[variation.number]))
        }
        for _ in range(_REPEATS if differences else 0):
            differences = self._confirmed(target, files, differences)
        return next((f"{variation.title}: {text}" for variation, text in differences.items()), "")

    def _confirmed(
        self, target: Target, files: Mapping[str, bytes | None], differences: Mapping[Variation, str]
    ) -> dict[Variation, str]:
        """Run the benign inputs again, and return those of ``differences`` that occur again.

        A difference is dropped if the reference behaves differently from before, since its behaviour is then
        random.
        """
        again, told = (behaviours(target, self.benign, tree) for tree in (self.fix, files))
        if isinstance(again, Ending):
            return {}
        if isinstance(told, Ending):
            return dict(differences)
        expected = dict(zip(self.benign, self.expected, strict=True))
        return {
            variation: difference
            for variation, difference in differences.items()
            if again[variation.number] == expected[variation]
            and _difference(expected[variation], told[variation.number])
        }


def measure(vulnerability: Vulnerability, tree: Path, cache: Path, target: Target) -> Yardstick:
    """Return the yardstick of a vulnerability, found by running variations of its PoVs and checks.

    A varied PoV is kept if it succeeds on the vulnerable code and fails on the reference. A varied check is
    kept if the vulnerable code and the reference behave alike and neither raises. A literal of a check is
    not varied in a way that takes a word of the program out of it, see :func:`.inputs.touches`. ``tree`` is
    the folder of the vulnerable source, ``cache`` the folder of downloaded releases, ``target`` a sandbox
    over ``tree``. Without a reference the yardstick is empty. Raises
    :class:`~crisol.errors.SandboxError` if the sandbox fails.
    """
    fix = _reference_files(vulnerability, tree, cache)
    if fix is None:
        return Yardstick()
    hostile = _agreeing(target, fix, variations(vulnerability.povs, _POOL), _shows, _closed)
    words = _words(fix)
    data = [
        variation
        for variation in variations(vulnerability.checks, _POOL)
        if not touches(words, variation.before, variation.after)
    ]
    benign = _agreeing(target, fix, data, _works, _equal)
    return Yardstick(tuple(hostile), tuple(benign), tuple(benign.values()), fix)


def _reference_files(vulnerability: Vulnerability, tree: Path, cache: Path) -> _Files | None:
    candidate = reference(vulnerability, cache)
    if candidate is None:
        return None
    try:
        patched = diff.apply(diff.parse(candidate.diff), lambda path: read_source(tree, path))
    except CrisolError:
        return None
    return {name: None if text is None else text.encode() for name, text in patched.items()}


def _words(files: Mapping[str, bytes | None]) -> frozenset[str]:
    words: frozenset[str] = frozenset()
    for name, text in files.items():
        if text and name.endswith(".py"):
            with suppress(OutOfBounds):
                words |= spoken(text)
    return words


def _agreeing(
    target: Target, fix: _Files, pool: Sequence[Variation], may: _May, does: _Does
) -> dict[Variation, Behaviour]:
    """Return the usable variations of ``pool``, at most :data:`_KEPT`, with the behaviour of the reference.

    A variation is usable if ``may`` and ``does`` return True in two rounds and the reference behaves alike in
    both. The second round runs only the variations to keep, in the order in which they later run on every
    patch. The result is empty if a process that runs the variations ends early.
    """
    kept = list(pool)
    first: dict[int, Behaviour] = {}
    for _ in range(2):
        before = behaviours(target, kept, {}) if kept else {}
        if isinstance(before, Ending):
            return {}
        kept = [variation for variation in kept if may(variation, before[variation.number])]
        after = behaviours(target, kept, fix) if kept else {}
        if isinstance(after, Ending):
            return {}
        kept = [
            variation
            for variation in kept
            if does(before[variation.number], after[variation.number])
            and first.get(variation.number, after[variation.number]) == after[variation.number]
        ]
        if not first:
            kept = _best(kept, after)
            first = {variation.number: after[variation.number] for variation in kept}
    return {variation: first[variation.number] for variation in kept}


def _best(kept: Sequence[Variation], after: Mapping[int, Behaviour]) -> list[Variation]:
    """Choose at most :data:`_KEPT` of the variations, and return them in the order of their numbers.

    ``after`` is the behaviour of the reference on each variation, by the variation's number. A variation
    whose behaviour no earlier one shows is chosen before the others. In both groups the first variation of
    every script is chosen before the second of any.
    """
    ranked: dict[tuple[bool, int], list[Variation]] = {}
    seen: set[Behaviour] = set()
    turns: dict[str, int] = {}
    for variation in kept:
        behaviour = after[variation.number]
        new = behaviour not in seen
        seen.add(behaviour)
        turns[variation.name] = turns.get(variation.name, 0) + 1
        ranked.setdefault((not new, turns[variation.name]), []).append(variation)
    ordered = [variation for rank in sorted(ranked) for variation in ranked[rank]]
    return sorted(ordered[:_KEPT], key=lambda variation: variation.number)


def _shows(variation: Variation, before: Behaviour) -> bool:
    return variation.changed and before.ending == _SHOWN


def _closed(_before: Behaviour, after: Behaviour) -> bool:
    return after.ending == _CLOSED


def _works(_variation: Variation, before: Behaviour) -> bool:
    return before.ending in {"done", _SHOWN} and bool(before.seen)


def _equal(before: Behaviour, after: Behaviour) -> bool:
    return before == after


def _difference(expected: Behaviour, told: Behaviour) -> str:
    for at, value in enumerate(expected.seen):
        other = told.seen[at] if at < len(told.seen) else told.ending
        if other != value:
            return f"{other:.120} where the reference gives {value:.120}"
    return "" if told.ending == expected.ending else f"{told.ending} where the reference is {expected.ending}"
