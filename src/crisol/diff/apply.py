"""Apply a patch to source texts, or make a patch from two versions of the texts."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from crisol.diff.misfit import misfit
from crisol.diff.patch import FileChange, Hunk, Patch, header, quoted
from crisol.errors import PatchDoesNotApply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Edit", "apply", "between", "edited", "edits", "hunks", "split"]

_CONTEXT = 3
# The most lines that are compared in the search for the places of a file's hunks: so many for each line of
# the file, and for a thousand more.
_EFFORT = 200


class Edit(NamedTuple):
    """One replacement of consecutive lines in a text by the lines ``added``.

    ``at`` is the 0-based index of the first removed line, or of the line before which the new lines are
    inserted. ``removed`` is the number of removed lines, 0 for an insertion. Each line in ``added`` includes
    its line end.
    """

    at: int
    removed: int
    added: list[str]


def apply(patch: Patch, read: Callable[[str], str | None]) -> dict[str, str | None]:
    """Return the new text of every file that the patch changes, by path; None for a file that it deletes.

    A renamed file has two entries: None at its old path, the text at its new path. Nothing is written.
    ``read`` takes a path and returns the text of the file, or None if there is no such file; the ``get``
    method of a dict will do. Context lines and removed lines must match exactly. A hunk that does not match
    at the line of its header is applied where it does match, if that is one place only. Raises
    :class:`~crisol.errors.PatchDoesNotApply` if a file is missing, a new file exists already, a deleted file
    would keep lines, or a hunk does not match or could match at several places.
    """
    result: dict[str, str | None] = {}
    for change in patch.files:
        before = None if change.old is None else read(change.old)
        if change.old is not None and before is None:
            raise PatchDoesNotApply(f"{change.old}: no such file in the source")
        if change.new is not None and change.new != change.old and read(change.new) is not None:
            raise PatchDoesNotApply(f"{change.new}: the file exists already")
        lines = split(before or "")
        after = "".join(edited(lines, edits(change, lines)))
        if change.new is None and after:
            raise PatchDoesNotApply(f"{change.old}: the patch deletes the file but leaves lines of it")
        if change.old is not None:
            result[change.old] = None
        if change.new is not None:
            result[change.new] = after
    return result


def between(old: Mapping[str, str], new: Mapping[str, str], context: int = _CONTEXT) -> str:
    """Return the unified diff, in git's form, that turns the files ``old`` into the files ``new``.

    ``old`` and ``new`` map paths to texts. The diff creates a path that only ``new`` has, and deletes a path
    that only ``old`` has. The result is "" if nothing differs. ``context`` is the number of unchanged lines
    around a change, by default 3.
    """
    out: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        names = (None if before is None else path, None if after is None else path)
        out += (f"{line}\n" for line in header(*names))
        sides = (
            "/dev/null" if before is None else quoted(f"a/{path}"),
            "/dev/null" if after is None else quoted(f"b/{path}"),
        )
        out += (
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(split(before or ""), split(after or ""), *sides, n=context)
        )
    return "".join(out)


def split(text: str) -> list[str]:
    """Return the lines of a text, split at line feeds only; each line keeps its line feed.

    Unlike ``str.splitlines`` it does not split at form feeds, U+2028 and the like. The empty text has no
    lines.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def edits(change: FileChange, lines: Sequence[str]) -> list[Edit]:
    """Return the edits, in order of their line, by which ``change`` changes the lines of its file.

    ``lines`` are the lines of the file before the change, with their line ends; a new file has none. Raises
    :class:`~crisol.errors.PatchDoesNotApply` if a hunk does not match, if it matches at several places but
    not at the line of its header, or if a line without a line feed would come before another line.
    """
    crlf = bool(lines) and all(line.endswith("\r\n") for line in lines)
    plain = not any(line.endswith("\r\n") for line in lines)
    search = _Search(lines)
    made: list[Edit] = []
    done = shift = 0
    for hunk in change.hunks:
        sides = _sides(hunk, crlf=crlf, plain=plain)
        expected = (hunk.old_start - 1 if hunk.old else hunk.old_start) + shift
        places = search.places(sides.old, expected, done)
        if len(places) > 1:
            shown = ", ".join(str(at + 1) for at in places[:4])
            raise PatchDoesNotApply(
                f"{change.path}: the lines of the hunk at line {hunk.old_start} are not there, but at the "
                f"lines {shown}: give the line numbers of this release"
            )
        start = places[0] if places else None
        if start is None:
            raise PatchDoesNotApply(f"{change.path}: {misfit(lines, sides.old, sides.new, hunk, expected)}")
        shift += start - expected
        made += _edits(sides, start)
        done = start + len(sides.old)
    total = len(lines)
    for edit in made:
        if edit.added and edit.at + edit.removed < total and not edit.added[-1].endswith("\n"):
            raise PatchDoesNotApply(f"{change.path}: lines would follow a last line without a line feed")
    if made and lines and not lines[-1].endswith("\n"):
        last = made[-1]
        if last.at == total and last.added:
            raise PatchDoesNotApply(f"{change.path}: lines would follow a last line without a line feed")
    return made


def edited(lines: Sequence[str], made: Sequence[Edit]) -> list[str]:
    """Return the lines that result from making edits in ``lines``; every line has its line end.

    ``made`` are the edits, in order of their line and without overlap.
    """
    out: list[str] = []
    done = 0
    for edit in made:
        out += lines[done : edit.at]
        out += edit.added
        done = edit.at + edit.removed
    out += lines[done:]
    return out


def hunks(lines: Sequence[str], made: Sequence[Edit]) -> tuple[Hunk, ...]:
    """Return the hunks of a diff that makes edits in a file, with three lines of context.

    ``lines`` are the file's lines with their line ends. ``made`` are the edits, in order of their line and
    without overlap.
    """
    grouped: list[list[Edit]] = []
    for edit in made:
        end = grouped[-1][-1].at + grouped[-1][-1].removed if grouped else 0
        if grouped and edit.at - end <= 2 * _CONTEXT:
            grouped[-1].append(edit)
        else:
            grouped.append([edit])
    out: list[Hunk] = []
    shift = 0
    for group in grouped:
        first, last = group[0], group[-1]
        start, end = max(0, first.at - _CONTEXT), min(len(lines), last.at + last.removed + _CONTEXT)
        body: list[str] = []
        at = start
        for edit in group:
            body += [f" {line}" for line in lines[at : edit.at]]
            body += [f"-{line}" for line in lines[edit.at : edit.at + edit.removed]]
            body += [f"+{line}" for line in edit.added]
            at = edit.at + edit.removed
        body += [f" {line}" for line in lines[at:end]]
        old, new = ([line for line in body if line[0] != side] for side in "+-")
        out.append(
            Hunk(
                start + 1 if old else start,
                start + shift + 1 if new else start + shift,
                tuple([line.removesuffix("\n") for line in body]),
                bool(old) and not old[-1].endswith("\n"),
                bool(new) and not new[-1].endswith("\n"),
            )
        )
        shift += sum(len(edit.added) - edit.removed for edit in group)
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The lines of a hunk, with the line ends that the file uses, LF or CRLF.

    ``tagged`` has the lines as (tag, line) pairs; the tag is a space, ``-`` or ``+``. ``old`` and ``new``
    have the lines before and after the change, without tags.
    """

    tagged: list[tuple[str, str]]
    old: list[str]
    new: list[str]


def _sides(hunk: Hunk, *, crlf: bool, plain: bool) -> _Sides:
    has, whole = hunk.lines[-1:] and hunk.lines[-1].endswith("\r"), hunk.lines
    if has and plain and all(line.endswith("\r") for line in whole):
        # The diff comes from a checkout with CRLF, the release has none.
        whole = tuple([line[:-1] for line in whole])
    end = "\r\n" if crlf and not any(line.endswith("\r") for line in whole) else "\n"
    tagged = [(line[0], line[1:] + end) for line in whole]
    for side, is_open in (("+", hunk.old_open), ("-", hunk.new_open)):
        if is_open:
            last = max((at for at, (tag, _) in enumerate(tagged) if tag != side), default=-1)
            tagged[last] = (tagged[last][0], tagged[last][1].removesuffix(end))
    old = [line for tag, line in tagged if tag != "+"]
    return _Sides(tagged, old, [line for tag, line in tagged if tag != "-"])


def _edits(sides: _Sides, start: int) -> list[Edit]:
    """Return one edit for each run of changed lines of a hunk; ``start`` is its 0-based line in the file."""
    made: list[Edit] = []
    at, removed, added = start, 0, list[str]()
    for tag, line in [*sides.tagged, (" ", "")]:
        if tag == "+":
            added.append(line)
        elif tag == "-":
            removed += 1
        else:
            if removed or added:
                made.append(Edit(at, removed, added))
            at, removed, added = at + removed + 1, 0, []
    return made


class _Search:
    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.rows: dict[str, list[int]] = {}
        # How many lines later calls of places may compare; a malicious diff costs little time.
        self.left = _EFFORT * (len(lines) + 1_000)

    def places(self, old: list[str], expected: int, done: int) -> list[int]:
        """Return the ascending 0-based indexes, from ``done`` on, at which the lines ``old`` occur.

        If they occur at ``expected``, the result is this index alone. An empty ``old`` can occur only there.
        Raises :class:`~crisol.errors.PatchDoesNotApply` beyond the limit.
        """
        lines, last = self.lines, len(self.lines) - len(old)
        if not old:
            return [expected] if done <= expected <= len(lines) else []
        if done <= expected <= last and lines[expected : expected + len(old)] == old:
            return [expected]
        if not self.rows:
            for at, line in enumerate(lines):
                self.rows.setdefault(line, []).append(at)
        rarest = min(range(len(old)), key=lambda row: len(self.rows.get(old[row], ())))
        out: list[int] = []
        for at in self.rows.get(old[rarest], ()):
            start = at - rarest
            if not done <= start <= last:
                continue
            self.left -= len(old)
            if self.left < 0:
                raise PatchDoesNotApply(
                    "its lines are too much alike to find their place; give exact line numbers"
                )
            if lines[start : start + len(old)] == old:
                out.append(start)
        return out
