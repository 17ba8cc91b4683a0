"""The parts of a parsed diff, and its identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FileChange", "Hunk", "Patch"]

_ESCAPES = {ord(char): f"\\{code}" for char, code in zip('\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True)}


@dataclass(frozen=True, slots=True)
class Hunk:
    """Consecutive lines of a diff, each with its tag (space, ``+`` or ``-``) and without its line feed.

    ``old_start`` and ``new_start`` are the numbers in the header ``@@ -OLD_START,… +NEW_START,… @@``: the
    1-based line in the old and the new file at which the hunk begins. If the hunk has no lines in one of the
    files, the number there is that of the line before the hunk, 0 at the file's beginning. ``old_open`` says
    that the old file ends with this hunk and has no line feed at its end; ``new_open`` says the same of the
    new file.
    """

    old_start: int
    new_start: int
    lines: tuple[str, ...]
    old_open: bool = False
    new_open: bool = False

    @property
    def old(self) -> list[str]:
        """The context lines and removed lines of the hunk, each without its tag (the first character)."""
        return [line[1:] for line in self.lines if line[0] != "+"]

    @property
    def new(self) -> list[str]:
        """The context lines and added lines of the hunk, each without its tag (the first character)."""
        return [line[1:] for line in self.lines if line[0] != "-"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """The change of one file: its path before (``old``), its path after (``new``), and the hunks.

    ``old`` is None if the file is created, ``new`` is None if it is deleted. Two different paths mean that
    the file is renamed. Without hunks the text of the file stays the same.
    """

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        """The file's path after the change, or before it if the file is deleted."""
        path = self.new or self.old
        assert path is not None
        return path

    @property
    def creates(self) -> bool:
        """Whether the hunks fit only a new file: one hunk with added lines only, whose ``old_start`` is 0.

        The answer may be True although ``old`` is not None, since plain diffs do not mark new files.
        """
        return len(self.hunks) == 1 and not self.hunks[0].old_start and not self.hunks[0].old

    def lines(self, tag: str) -> Iterator[str]:
        """Yield each line with the tag ``tag`` (``+``, ``-`` or space) of all hunks, without the tag."""
        for hunk in self.hunks:
            for line in hunk.lines:
                if line[0] == tag:
                    yield line[1:]


@dataclass(frozen=True)
class Patch:
    """A unified diff over one or more files; ``str(patch)`` is its text in git's form.

    ``files`` holds one change for each file, sorted by path.
    """

    files: tuple[FileChange, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the changed files after the change; of a deleted file, the path before it."""
        return tuple(change.path for change in self.files)

    @property
    def added(self) -> list[str]:
        """All lines that the patch adds, without ``+`` and line feed, in the order of ``files``."""
        return [line for change in self.files for line in change.lines("+")]

    @property
    def removed(self) -> list[str]:
        """All lines that the patch removes, without ``-`` and line feed, in the order of ``files``."""
        return [line for change in self.files for line in change.lines("-")]

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of the patch's normalised text, 64 hexadecimal digits.

        Two patches with the same changed files, hunk lines and positions of the hunks in the old files have
        the same identity. Timestamps, ``index`` lines, commit messages, section headings, path prefixes, the
        order of files, and line feeds that became CRLF in transport make no difference.
        """
        digest = hashlib.sha256(b"crisol-patch-1")
        for change in self.files:
            digest.update(repr((change.old, change.new, len(change.hunks))).encode())
            for hunk in change.hunks:
                body = "\n".join(hunk.lines).encode()
                head = (hunk.old_start, len(hunk.lines), len(body), hunk.old_open, hunk.new_open)
                digest.update(repr(head).encode())
                digest.update(body)
        return digest.hexdigest()

    def __str__(self) -> str:
        """Return the patch as the text of a diff in git's form, which parses to an equal patch."""
        return "".join(_render(change) for change in self.files)


def header(old: str | None, new: str | None) -> list[str]:
    """Return the lines that git writes above the ``---`` line of a changed file, without line feeds.

    The first is ``diff --git a/OLD b/NEW``; lines such as ``new file mode 100644`` or ``rename from OLD``
    follow. ``old`` is the file's path before the change, None for a new file. ``new`` is its path after the
    change, None for a deleted file.
    """
    left, right = quoted(f"a/{old or new}"), quoted(f"b/{new or old}")
    out = [f"diff --git {left} {right}"]
    if old is None:
        out.append("new file mode 100644")
    elif new is None:
        out.append("deleted file mode 100644")
    elif old != new:
        out += [f"rename from {quoted(old)}", f"rename to {quoted(new)}"]
    return out


def quoted(path: str) -> str:
    """Return a path as git writes it in a diff.

    A path with ``"``, a backslash, a control character or a character beyond ASCII is written in double
    quotes, with C escapes. Any other path is returned unchanged.
    """
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return path
    out = "".join(
        _ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in path.encode()
    )
    return f'"{out}"'


def _render(change: FileChange) -> str:
    out = header(change.old, change.new)
    if change.hunks:
        out.append(f"--- {quoted(f'a/{change.old}') if change.old else '/dev/null'}")
        out.append(f"+++ {quoted(f'b/{change.new}') if change.new else '/dev/null'}")
    for hunk in change.hunks:
        out.append(f"@@ -{hunk.old_start},{len(hunk.old)} +{hunk.new_start},{len(hunk.new)} @@")
        last_old = max((i for i, line in enumerate(hunk.lines) if line[0] != "+"), default=-1)
        last_new = max((i for i, line in enumerate(hunk.lines) if line[0] != "-"), default=-1)
        for index, line in enumerate(hunk.lines):
            out.append(line)
            if (hunk.old_open and index == last_old) or (hunk.new_open and index == last_new):
                out.append("\\ No newline at end of file")
    return "\n".join(out) + "\n"
