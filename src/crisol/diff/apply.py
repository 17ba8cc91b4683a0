"""Lay a patch over sources, or make one from two versions of them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from crisol.diff.patch import FileChange, Hunk, Patch, header, quoted
from crisol.errors import PatchDoesNotApply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["apply", "between"]


def apply(patch: Patch, read: Callable[[str], str | None]) -> dict[str, str | None]:
    """Return the new text of every file that the patch touches, None for one that it deletes.

    ``read`` gives the text of a path, or None where there is no such file; ``dict.get`` will do. Every context
    and removed line must match exactly; a hunk may sit at another line than its header says, the nearest match
    wins, as with ``git apply``. Raises :class:`~crisol.errors.PatchDoesNotApply`; sources are never modified.
    """
    result: dict[str, str | None] = {}
    for change in patch.files:
        before = None if change.old is None else read(change.old)
        if change.old is not None and before is None:
            raise PatchDoesNotApply(f"{change.old}: no such file in the source")
        if change.new is not None and change.new != change.old and read(change.new) is not None:
            raise PatchDoesNotApply(f"{change.new}: the file exists already")
        after = _apply_file(change, before or "")
        if change.new is None and after:
            raise PatchDoesNotApply(f"{change.old}: the patch deletes the file but leaves lines of it")
        if change.old is not None:
            result[change.old] = None
        if change.new is not None:
            result[change.new] = after
    return result


def between(old: Mapping[str, str], new: Mapping[str, str], context: int = 3) -> str:
    """Return the unified diff that turns the files ``old`` into ``new``, in git's form; empty when equal."""
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
            for line in difflib.unified_diff(_lines(before or ""), _lines(after or ""), *sides, n=context)
        )
    return "".join(out)


def _lines(text: str) -> list[str]:
    """Split at line feeds only: ``str.splitlines`` would also split at form feeds and U+2028."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _apply_file(change: FileChange, text: str) -> str:
    lines = _lines(text)
    out: list[str] = []
    done = shift = 0
    for hunk in change.hunks:
        old, new = _sides(hunk, crlf=bool(lines) and all(line.endswith("\r\n") for line in lines))
        start = _locate(lines, old, hunk, done, shift)
        if start is None:
            raise PatchDoesNotApply(f"{change.path}: the hunk at line {hunk.old_start} does not fit")
        shift = start - _expected(hunk)
        out += lines[done:start] + new
        done = start + len(old)
    out += lines[done:]
    if any(not line.endswith("\n") for line in out[:-1]):
        raise PatchDoesNotApply(f"{change.path}: lines would follow a last line without a line feed")
    return "".join(out)


def _sides(hunk: Hunk, *, crlf: bool) -> tuple[list[str], list[str]]:
    """Return the old and new lines with their ends, in the convention of the file."""
    end = "\r\n" if crlf and not any(line.endswith("\r") for line in hunk.lines) else "\n"
    old, new = [line + end for line in hunk.old], [line + end for line in hunk.new]
    if hunk.old_open and old:
        old[-1] = old[-1].removesuffix(end)
    if hunk.new_open and new:
        new[-1] = new[-1].removesuffix(end)
    return old, new


def _expected(hunk: Hunk) -> int:
    """Return the 0-based line at which the header puts the hunk; ``-N,0`` means after line N."""
    return hunk.old_start - 1 if hunk.old else hunk.old_start


def _locate(lines: list[str], old: list[str], hunk: Hunk, done: int, shift: int) -> int | None:
    """Return where the old lines stand, nearest to where they are expected, not before ``done``."""
    expected = _expected(hunk) + shift
    last = len(lines) - len(old)
    if not old:
        return expected if done <= expected <= len(lines) else None
    head = old[0]
    for distance in range(max(expected - done, last - expected, 0) + 1):
        for at in {expected + distance, expected - distance}:
            if done <= at <= last and lines[at] == head and lines[at : at + len(old)] == old:
                return at
    return None
