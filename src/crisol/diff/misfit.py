"""Explain why a hunk does not match a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from crisol.diff.patch import Hunk

__all__ = ["misfit"]

_FAMILIAR = 20
_SHOWN = 90


def misfit(lines: Sequence[str], old: list[str], new: list[str], hunk: Hunk, expected: int) -> str:
    """Return a message for people, one line, that says why a hunk does not match a file.

    If the file has the hunk's new lines already, the message says so. Otherwise the hunk is compared with the
    place in the file at which most of its old lines match; the message names the first line that differs
    there, and says whether ``patch --fuzz`` would accept the hunk. ``lines`` are the file's lines. ``old``
    and ``new`` are the hunk's lines before and after the change. All have their line ends. ``expected`` is
    the 0-based index of the line at which the hunk should match.
    """
    where = f"the hunk at line {hunk.old_start} does not fit"
    if not old:
        return f"{where}: the file has only {len(lines)} lines"
    if new and len(new) < len(lines) + 1 and _stands(lines, new, expected):
        return f"{where}: the file has its new lines already"
    start = _best_start(lines, old, expected)
    wrong = [
        row for row, line in enumerate(old) if not 0 <= start + row < len(lines) or lines[start + row] != line
    ]
    row = wrong[0] if wrong else 0
    at = start + row
    stands = _quoted(lines[at]) if 0 <= at < len(lines) else f"not there ({len(lines)} lines in all)"
    ends = ""
    if 0 <= at < len(lines) and lines[at].rstrip() == old[row].rstrip():
        ends = " (they differ in blanks at the end, or in the line's end)"
    return (
        f"{where}: line {row + 1} of its old lines is {_quoted(old[row])}, line {at + 1} of the file is "
        f"{stands}{ends}; {_fuzz_advice(hunk, wrong)}"
    )


def _fuzz_advice(hunk: Hunk, wrong: list[int]) -> str:
    """Return advice for people: the smallest ``--fuzz`` that ``patch`` would need, or that none helps.

    A hunk of context lines only should be left out.
    ``wrong`` are the 0-based positions, among the hunk's old lines, of the lines that differ from the file's.
    """
    changed = [at for at, line in enumerate(hunk.lines) if line[0] != " "]
    if not changed:
        return "the hunk changes nothing: leave it out"
    head, tail = changed[0], len(hunk.lines) - 1 - changed[-1]
    rows = sum(line[0] != "+" for line in hunk.lines)
    context = max(head, tail)
    for fuzz in range(1, context + 1):
        skipped_head, skipped_tail = (max(0, fuzz + side - context) for side in (head, tail))
        if all(row < skipped_head or row >= rows - skipped_tail for row in wrong):
            note = "" if fuzz < 3 else ", which is more than it does by default"
            return (
                f"no fuzz is taken here (patch would need --fuzz={fuzz}{note}): make the patch anew for "
                "this release"
            )
    return "no fuzz would help: make the patch for this release"


def _best_start(lines: Sequence[str], old: list[str], expected: int) -> int:
    """Return the index in ``lines`` at which most of ``old`` match; of several, the nearest to ``expected``.

    A line that occurs more than 20 times in ``lines`` or in ``old`` is not counted; without a counted line,
    the result is ``expected``. The index is negative if the first lines of ``old`` would come before the
    file.
    """
    wanted: dict[str, list[int]] = {}
    for row, line in enumerate(old):
        wanted.setdefault(line, []).append(row)
    counts = Counter(line for line in lines if line in wanted)
    votes: Counter[int] = Counter()
    for at, line in enumerate(lines):
        rows = wanted.get(line, ())
        if counts[line] <= _FAMILIAR and len(rows) <= _FAMILIAR:
            votes.update(at - row for row in rows)
    best = max(votes.items(), key=lambda vote: (vote[1], -abs(vote[0] - expected)), default=(expected, 0))
    return best[0]


def _stands(lines: Sequence[str], wanted: list[str], expected: int) -> bool:
    start = _best_start(lines, wanted, expected)
    return start >= 0 and list(lines[start : start + len(wanted)]) == wanted


def _quoted(line: str) -> str:
    text = line.rstrip("\n")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
