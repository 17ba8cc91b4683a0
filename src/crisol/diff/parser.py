"""A strict, bounded parser for unified diffs, git's and plain ones.

Written by hand because the libraries are lenient where a referee must not be: see
``docs/decisions/001-own-diff-parser.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from crisol.diff.patch import FileChange, Hunk, Patch
from crisol.errors import DiffTooLarge, MalformedDiff, UnsafeDiff, UnsupportedDiff

__all__ = ["Limits", "parse"]

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SIMPLE = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_FILE_MODES = ("100644", "100755", "100664")
# Editors and mailers strip the one space of an empty context line.
_CONTEXT = frozenset({" ", ""})
_IGNORED = ("index ", "similarity index ", "dissimilarity index ")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the parser accepts at the most."""

    bytes: int = 1 << 20
    files: int = 200
    hunks: int = 2_000
    lines: int = 50_000
    line_bytes: int = 65_536


def parse(text: str | bytes, limits: Limits = Limits()) -> Patch:
    """Parse untrusted text into a :class:`Patch`.

    Text before the first file (a commit message) and between files is skipped, as every tool does; text that
    looks like part of a hunk is not. Raises :class:`~crisol.errors.MalformedDiff`,
    :class:`~crisol.errors.UnsafeDiff`, :class:`~crisol.errors.UnsupportedDiff` or
    :class:`~crisol.errors.DiffTooLarge`, each with the line. Runs in time linear in the text.
    """
    return _Parser(_decode(text, limits), limits).run()


def _decode(text: str | bytes, limits: Limits) -> list[str]:
    if len(text) > limits.bytes:
        raise DiffTooLarge(f"the diff has more than {limits.bytes} bytes; send the hunks that matter")
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise MalformedDiff("not UTF-8; recode the diff", line=line) from None
    elif not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise MalformedDiff("not UTF-8 text", line=text.count("\n", 0, error.start) + 1) from None
        if size > limits.bytes:
            raise DiffTooLarge(f"the diff has more than {limits.bytes} bytes; send the hunks that matter")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnsupportedDiff("a NUL character: binary content cannot be wargamed", line=line)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > limits.lines:
        raise DiffTooLarge(f"the diff has more than {limits.lines} lines")
    if len(text) > limits.line_bytes and max(map(len, lines)) > limits.line_bytes:
        raise DiffTooLarge(f"a line has more than {limits.line_bytes} characters")
    if "\r" in text and any(line.startswith("@@ ") and line.endswith("\r") for line in lines):
        # A mail or a browser turned every line feed into CRLF; a CRLF file in a git diff has LF headers.
        lines = [line.removesuffix("\r") for line in lines]
    return lines


class _Sized(NamedTuple):
    """A hunk and how many lines its header gives to either side, which is how many it has."""

    hunk: Hunk
    old: int
    new: int


class _Parser:
    """One pass over the lines; ``at`` is the 0-based number of the line to be read next."""

    def __init__(self, lines: list[str], limits: Limits) -> None:
        self.lines = lines
        self.limits = limits
        self.at = 0
        self.hunks = 0

    def run(self) -> Patch:
        lines, files = self.lines, dict[str, FileChange]()
        while self.at < len(lines):
            line = lines[self.at]
            if line.startswith("diff --git "):
                change = self._git_file()
            elif line.startswith("--- ") and self._peek(1).startswith("+++ "):
                change = self._plain_file()
            elif _HUNK.match(line):
                raise self._malformed("a hunk without a file header above it")
            elif line.startswith(("GIT binary patch", "Binary files ")):
                raise UnsupportedDiff("binary content cannot be wargamed", line=self.at + 1)
            else:
                self.at += 1
                continue
            if change is None:
                continue
            for path in {change.old, change.new} - {None}:
                if path in files:
                    raise self._malformed(f"{path} is changed twice; merge its hunks under one header")
                files[str(path)] = change
            if len(files) > 2 * self.limits.files:
                raise DiffTooLarge(f"the diff touches more than {self.limits.files} files")
        changes = tuple(sorted(set(files.values()), key=lambda change: (change.path, change.old or "")))
        if not changes:
            raise MalformedDiff("no file header and no hunk found: is this a unified diff?")
        if len(changes) > self.limits.files:
            raise DiffTooLarge(f"the diff touches more than {self.limits.files} files")
        return Patch(changes)

    def _peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else ""

    def _malformed(self, message: str) -> MalformedDiff:
        return MalformedDiff(message, line=self.at + 1)

    def _git_file(self) -> FileChange | None:
        """Read ``diff --git`` and its extended headers; None for a change of mode alone."""
        start = self.at
        header = self.lines[start][len("diff --git ") :]
        self.at += 1
        created = deleted = False
        rename: dict[str, str] = {}
        while self.at < len(self.lines):
            line = self._peek()
            word, _, rest = line.partition(" mode ")
            if rest and word in {"new file", "deleted file", "old", "new"}:
                if rest.strip() not in _FILE_MODES:
                    raise UnsafeDiff(
                        f"mode {rest.strip()[:20]}: links, submodules and special files are refused",
                        line=self.at + 1,
                    )
                created, deleted = created or word == "new file", deleted or word == "deleted file"
            elif line.startswith(("rename from ", "rename to ", "copy from ", "copy to ")):
                verb, side, path = line.split(" ", 2)
                if verb == "copy":
                    raise UnsupportedDiff("copies: write the new file out in full", line=self.at + 1)
                rename[side] = self._path(path, prefix="")
            elif not line.startswith(_IGNORED):
                break
            self.at += 1
        if self._peek().startswith(("GIT binary patch", "Binary files ")):
            raise UnsupportedDiff("binary content cannot be wargamed", line=self.at + 1)
        if self._peek().startswith("--- ") and self._peek(1).startswith("+++ "):
            return self._plain_file(rename)
        if len(rename) == 2:
            return FileChange(rename["from"], rename["to"], ())
        if not (created or deleted):
            return None
        path = self._header_path(header, start)
        return FileChange(None if created else path, None if deleted else path, ())

    def _header_path(self, header: str, at: int) -> str:
        """Take the one path out of ``a/PATH b/PATH``, which is the same on both sides of an empty file."""
        half = len(header) // 2
        left, right = header[:half], header[half + 1 :]
        old, new = self._path(left, prefix="a/"), self._path(right, prefix="b/")
        if old != new:
            raise MalformedDiff("the two sides of the git header differ without a rename", line=at + 1)
        return old

    def _plain_file(self, rename: dict[str, str] | None = None) -> FileChange:
        old = self._name(self._peek()[4:], prefix="a/")
        new = self._name(self._peek(1)[4:], prefix="b/")
        if old is None and new is None:
            raise self._malformed("both sides are /dev/null")
        if rename:
            if (old, new) != (rename.get("from"), rename.get("to")):
                raise self._malformed("the rename headers and the --- and +++ lines disagree")
        elif old is not None and new is not None and old != new:
            if self._peek().startswith("--- a/") and self._peek(1).startswith("+++ b/"):
                raise self._malformed(f"{old} and {new} differ without rename headers")
            old = new  # plain diff names a backup copy on the left
        self.at += 2
        hunks: list[_Sized] = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("@@"):
            hunks.append(self._hunk())
        if not hunks:
            raise self._malformed("no hunk follows the file header")
        self._check_order(hunks)
        if (old is None or new is None) and len(hunks) > 1:
            raise self._malformed("a file that is created or deleted has one hunk")
        if old is None and hunks[0].old:
            raise self._malformed("a created file has no old lines")
        if new is None and hunks[0].new:
            raise self._malformed("a deleted file has no new lines")
        return FileChange(old, new, tuple([one.hunk for one in hunks]))

    def _check_order(self, hunks: list[_Sized]) -> None:
        end, changes = 0, False
        for hunk, old, new in hunks:
            first = hunk.old_start if old else hunk.old_start + 1
            if first <= end:
                raise self._malformed(f"the hunk at old line {hunk.old_start} overlaps the one before it")
            end = first + old - 1
            # Lines that are on both sides are context, and counted once.
            changes = changes or not len(hunk.lines) == old == new
        if not changes:
            raise self._malformed("the hunks change nothing")

    def _hunk(self) -> _Sized:
        match = _HUNK.match(self._peek())
        if match is None:
            raise self._malformed("not a hunk header; expected @@ -START,COUNT +START,COUNT @@")
        self.hunks += 1
        if self.hunks > self.limits.hunks:
            raise DiffTooLarge(f"the diff has more than {self.limits.hunks} hunks", line=self.at + 1)
        old_start, new_start = int(match[1]), int(match[3])
        old_left = 1 if match[2] is None else int(match[2])
        new_left = 1 if match[4] is None else int(match[4])
        if (old_left and not old_start) or (new_left and not new_start):
            raise self._malformed("line numbers count from 1")
        old_size, new_size = old_left, new_left
        # Local names, as most of the time that a diff takes is spent in this loop.
        lines, end, at = self.lines, len(self.lines), self.at + 1
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
            if not old_left and not new_left:
                break
            if at == end:
                raise MalformedDiff("the diff ends inside a hunk", line=at)
            if tag == "+":
                closed = new_open
                new_left -= 1
            elif tag == "-":
                closed = old_open
                old_left -= 1
            elif tag in _CONTEXT:
                closed = old_open or new_open
                old_left -= 1
                new_left -= 1
            else:
                raise MalformedDiff("a hunk line starts with a space, + or -", line=at + 1)
            if closed or old_left < 0 or new_left < 0:
                raise MalformedDiff("the hunk has more lines than its header says", line=at + 1)
            body.append(line or " ")
            at += 1
        self.at = at
        self._check_end()
        return _Sized(Hunk(old_start, new_start, tuple(body), old_open, new_open), old_size, new_size)

    def _check_end(self) -> None:
        """Refuse a line that only a hunk of another length can explain."""
        line = self._peek()
        header = line.startswith("--- ") and self._peek(1).startswith("+++ ")
        if line[:1] in {"+", "-", " "} and line.strip() not in {"", "--"} and not header:
            raise self._malformed("the hunk has more lines than its header says")

    def _name(self, text: str, prefix: str) -> str | None:
        """Take the path out of what follows ``---`` or ``+++``: a tab ends it, a timestamp may follow."""
        text = text.split("\t", 1)[0].rstrip()
        return None if text == "/dev/null" else self._path(text, prefix)

    def _path(self, text: str, prefix: str) -> str:
        """Return a relative path that stays inside the tree, or refuse it."""
        if text.startswith('"'):
            text = self._unquote(text)
        path = text.removeprefix(prefix)
        parts = path.split("/")
        if _CONTROL.search(path) or "\\" in path:
            raise UnsafeDiff("control characters and backslashes in a path are refused", line=self.at + 1)
        if not path or path.startswith("/") or path[1:2] == ":":
            raise UnsafeDiff(f"{path[:100]!r} is not a relative path", line=self.at + 1)
        if any(part in {"", ".", ".."} or part.lower() == ".git" or len(part) > 255 for part in parts):
            raise UnsafeDiff(f"{path[:100]!r} leaves the tree or is not a plain path", line=self.at + 1)
        if len(path) > 1024:
            raise UnsafeDiff("a path of more than 1024 characters", line=self.at + 1)
        return path

    def _unquote(self, text: str) -> str:
        """Undo git's C quoting of a path."""
        if len(text) < 2 or not text.endswith('"'):
            raise self._malformed("a quoted path without its closing quote")
        out, end = bytearray(), 0
        inner = text[1:-1]
        for match in _ESCAPE.finditer(inner):
            code = match[1]
            out += inner[end : match.start()].encode()
            out.append(_SIMPLE[code] if code in _SIMPLE else int(code, 8) & 0xFF)
            end = match.end()
        out += inner[end:].encode()
        try:
            return out.decode()
        except UnicodeDecodeError:
            raise UnsafeDiff("a path that is not UTF-8", line=self.at + 1) from None
