"""Read one hunk of a diff: its header and its lines.

A line after the hunk is an error if it looks like one more line of the hunk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from crisol.diff.patch import Hunk
from crisol.errors import MalformedDiff

__all__ = ["BINARY", "HUNK", "Sized", "hunk_at", "is_header"]

HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
BINARY = ("GIT binary patch", "Binary files ")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# An item of a list or a rule below the last hunk is prose: no line of Python has one blank before it.
_PROSE = re.compile(r"[-+] \S|-{2,}[ \t]*$")
# Beginnings of lines that end the text in which a line of the hunk above could have been lost.
_NEXT = (
    *(
        "diff ",
        "Index: ",
        "From ",
        "commit ",
        "# HG ",
        "```",
        "~~~",
        "===",
        "@@ -",
        "Only in ",
        "Property changes ",
    ),
    *BINARY,
)
_MOST_STRIPPED = 3


class Sized(NamedTuple):
    """A hunk that was read from a text, with its line counts.

    ``old`` is the number of its context and removed lines, ``new`` the number of its context and added lines.
    ``end`` is the 0-based index of the text's first line after the hunk. ``note`` is a message for people:
    that a line count was corrected, or that missing lines were read as empty ones; "" for none.
    """

    hunk: Hunk
    old: int
    new: int
    end: int
    note: str


def is_header(lines: Sequence[str], at: int) -> bool:
    """Return whether line ``at`` begins the header of a file: it starts with ``---``, the next with ``+++``.

    ``lines`` are the lines of the diff; ``at`` is a 0-based index, which may lie after the last line.
    """
    return at + 1 < len(lines) and lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")


def hunk_at(lines: Sequence[str], at: int, *, recount: bool) -> Sized:
    """Return the hunk whose header (``@@ -1,3 +1,4 @@``) is at the 0-based index ``at`` of ``lines``.

    If ``recount`` is True, the hunk's lines are counted, and the counts in its header are ignored. If it is
    False, the hunk must have as many lines as its header says, but up to three empty context lines at its end
    may be missing: they are added. Raises :class:`~crisol.errors.MalformedDiff`, which names the 1-based
    line, if there is no header at ``at``, the hunk breaks the format, or its number of lines is wrong.
    """
    match = HUNK.match(lines[at])
    if match is None:
        raise MalformedDiff("not a hunk header; expected @@ -START,COUNT +START,COUNT @@", line=at + 1)
    old_start, new_start = int(match[1]), int(match[3])
    old, new = (1 if count is None else int(count) for count in (match[2], match[4]))
    note = ""
    if recount and (old, new) != (counted := _counted(lines, at)):
        note = (
            f"line {at + 1}: its header says {old} old and {new} new lines, the hunk has {counted[0]} and "
            f"{counted[1]}"
        )
        old, new = counted
    if (old and not old_start) or (new and not new_start):
        raise MalformedDiff("line numbers count from 1", line=at + 1)
    body, old_open, new_open, end = _body(lines, at + 1, old, new)
    # A marker of a missing line feed is a line of the text, but not of the hunk.
    missing = len(body) - (end - at - 1)
    if old_open or new_open:
        missing += sum([line.startswith("\\") for line in lines[at + 1 : end]])
    if missing:
        note = (
            f"line {end}: the hunk lacks {missing} lines, read as empty ones that a mail program stripped "
            "(--recount reads the hunk without them)"
        )
    _check_end(lines, end)
    text = "\n".join(body)
    if not text.isascii() and _SURROGATE.search(text):
        row = next(row for row, line in enumerate(body, start=at + 2) if _SURROGATE.search(line))
        raise MalformedDiff("not UTF-8; recode the diff", line=row)
    return Sized(Hunk(old_start, new_start, tuple(body), old_open, new_open), old, new, end, note)


def _body(lines: Sequence[str], at: int, old: int, new: int) -> tuple[list[str], bool, bool, int]:
    """Return (lines, old file ends open, new file ends open, index of the line after the hunk) of a hunk.

    Each line keeps its first character. A file ends open if it ends in this hunk without a line feed. ``at``
    is the 0-based index of the line below the hunk's header; ``old`` and ``new`` are the header's numbers of
    lines. Raises :class:`~crisol.errors.MalformedDiff` if the hunk has other numbers of lines, except for
    what :func:`_ended_early` adds.
    """
    end = len(lines)
    body: list[str] = []
    old_open = new_open = False
    while True:
        line = lines[at] if at < end else ""
        tag = line[:1]
        if tag == "\\" and body and line[1:2] == " ":
            last = body[-1][0]
            old_open, new_open = old_open or last != "+", new_open or last != "-"
            at += 1
            continue
        if not old and not new:
            break
        if tag == "+":
            closed = new_open
            new -= 1
        elif tag == "-":
            closed = old_open
            old -= 1
        elif tag == " " or (not tag and at < end):
            # Editors and mailers strip the one space of an empty context line.
            closed = old_open or new_open
            old -= 1
            new -= 1
        else:
            at = _ended_early(lines, at, body, old, new)
            break
        if closed or old < 0 or new < 0:
            raise MalformedDiff(
                "the hunk has more lines than its header says; correct it, or count anew with --recount",
                line=at + 1,
            )
        body.append(line or " ")
        at += 1
    return body, old_open, new_open, at


def _ended_early(lines: Sequence[str], at: int, body: list[str], old: int, new: int) -> int:
    """Complete a hunk that has fewer lines than its header says; return the index of the line after it.

    ``at`` is the 0-based index of the first line that cannot belong to the hunk, ``body`` the hunk's lines
    before it. ``old`` and ``new`` are the numbers of missing lines. Up to three empty context lines are added
    to ``body``, since mail programs remove them at the end of a mail. Raises
    :class:`~crisol.errors.MalformedDiff` if anything else is missing.
    """
    if body and at < len(lines) and body[-1].rstrip() == "--":
        # This line begins a mail's signature and was counted as a removed line.
        del body[-1]
        at, old = at - 1, old + 1
    elif at < len(lines) and HUNK.match(lines[at]) and len(body) > 1 and is_header(lines, at - 2):
        # The header of the next file was counted as a removed and an added line.
        del body[-2:]
        at, old, new = at - 2, old + 1, new + 1
    missing = f"its header promises {old} more old and {new} more new lines (--recount counts anew)"
    if at < len(lines) and not _ends_hunk(lines, at):
        raise MalformedDiff(f"a hunk line starts with a space, + or -; {missing}", line=at + 1)
    if body and 0 < old == new <= _MOST_STRIPPED:
        body += [" "] * old
        return at
    if at == len(lines):
        raise MalformedDiff(f"the diff ends inside a hunk: {missing}", line=at)
    raise MalformedDiff(f"the hunk ends early: {missing}", line=at + 1)


def _ends_hunk(lines: Sequence[str], at: int) -> bool:
    return is_header(lines, at) or lines[at].startswith(_NEXT) or lines[at].rstrip() == "--"


def _check_end(lines: Sequence[str], end: int) -> None:
    """Raise :class:`~crisol.errors.MalformedDiff` if a line after a hunk looks like one more line of it.

    ``end`` is the 0-based index of the first line after the hunk. Items of a list (``- text``) and rules
    (``---``) are no error.
    """
    if end < len(lines) and lines[end][:1] == " " and lines[end].strip():
        raise MalformedDiff(
            "the hunk has more lines than its header says, or text follows the hunk without an empty line; "
            "correct its counts (--recount counts anew), or put an empty line before the text",
            line=end + 1,
        )
    for at in range(end, len(lines)):
        if _ends_hunk(lines, at):
            return
        if lines[at][:1] in {"+", "-"} and not _PROSE.match(lines[at]):
            raise MalformedDiff(
                "the hunk has more lines than its header says; correct it, or count anew with --recount",
                line=at + 1,
            )


def _counted(lines: Sequence[str], header: int) -> tuple[int, int]:
    """Return (number of old lines, number of new lines) of a hunk, counted from its lines.

    ``header`` is the 0-based index of the hunk's header in ``lines``. An empty line ends the hunk if the next
    line with text cannot belong to a hunk; without an empty line, such a line raises
    :class:`~crisol.errors.MalformedDiff`.
    """
    old = new = blank = 0
    for at in range(header + 1, len(lines)):
        line = lines[at]
        if _ends_hunk(lines, at):
            break
        if not line.strip():
            blank += 1  # at the end of the hunk it belongs to the text below
        elif line[0] in "+- ":
            old, new = old + blank + (line[0] != "+"), new + blank + (line[0] != "-")
            blank = 0
        elif line[:2] != "\\ ":
            if blank:
                break
            raise MalformedDiff("a hunk line starts with a space, + or -", line=at + 1)
    return old, new
