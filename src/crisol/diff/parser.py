"""A strict parser for unified diffs, git's and plain ones, with limits on their size.

Written by hand because the libraries are lenient where a referee must not be: see
``docs/decisions/001-own-diff-parser.md``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crisol.diff import paths
from crisol.diff.envelope import DiffLimits, unwrapped
from crisol.diff.hints import hint
from crisol.diff.hunk import BINARY, HUNK, Sized, hunk_at, is_header
from crisol.diff.patch import FileChange, Patch
from crisol.diff.series import ReadOptions, Series, Step, Stray
from crisol.errors import DiffTooLarge, MalformedDiff, UnsafeDiff, UnsupportedDiff

__all__ = ["parse", "read"]

_SUBMODULE = "160000"
_FILE_MODES = ("100644", "100755", "100664", _SUBMODULE)
_COPIES = "copies: write the new file out in full"
_LIMITS, _AS_GIT = DiffLimits(), ReadOptions()
_IGNORED = ("index ", "similarity index ", "dissimilarity index ")
_TWO = re.compile(r"Binary files (.+) and (.+) differ\s*$")


def parse(text: str | bytes, limits: DiffLimits = _LIMITS) -> Patch:
    """Parse untrusted text into a :class:`Patch`; a text with any fault is refused as a whole.

    ``limits`` are the largest accepted sizes. The time is linear in the length of the text. Raises
    :class:`~crisol.errors.MalformedDiff` for text that is no unified diff or changes a file twice,
    :class:`~crisol.errors.UnsafeDiff` for a path outside the project's folder, a link or a submodule,
    :class:`~crisol.errors.UnsupportedDiff` for binary content, copies of files and the diff of a merge, and
    :class:`~crisol.errors.DiffTooLarge` beyond ``limits``. The ``line`` of each error is the number of the
    wrong line, 0 if no single line is wrong.
    """
    series = read(text, limits)
    for stray in series.strays:
        raise stray.error
    files: dict[str, FileChange] = {}
    for step in series.steps:
        if step.copied:
            raise UnsupportedDiff(_COPIES, line=step.line)
        for path in {step.change.old, step.change.new} - {None}:
            if path in files:
                raise MalformedDiff(
                    f"{path} is changed twice; merge its hunks under one header", line=step.line
                )
            files[str(path)] = step.change
    return Patch(tuple(sorted(set(files.values()), key=lambda change: (change.path, change.old or ""))))


def read(text: str | bytes, limits: DiffLimits = _LIMITS, reading: ReadOptions = _AS_GIT) -> Series:
    """Parse untrusted text into a :class:`Series`, in which a file may be changed more than once.

    Mails, Markdown code blocks and several commits in one text are accepted. Text before and between the
    changes, such as a commit message, is skipped. ``limits`` are the largest accepted sizes; ``reading`` says
    how to read paths and line counts. Submodules, mere copies of files and binary content whose path is known
    are no errors: they become the result's ``strays``.

    Raises :class:`~crisol.errors.MalformedDiff` for text that is no unified diff, and if a line after a hunk
    looks like one more line of that hunk. Raises :class:`~crisol.errors.UnsafeDiff` for a symbolic link and
    for a path outside the project's folder, :class:`~crisol.errors.UnsupportedDiff` for the diff of a merge
    and for binary content of an unknown path, and :class:`~crisol.errors.DiffTooLarge` beyond ``limits``. The
    ``line`` of each error is the number of the wrong line, 0 if no single line is wrong.
    """
    return _Parser(unwrapped(text, limits), limits, reading).run()


class _Extended(NamedTuple):
    """The content of the lines that git writes above the hunks of a file, such as ``rename from PATH``.

    ``moved`` maps ``from`` and ``to`` to the paths of a rename or a copy, and is empty for other changes.
    """

    moved: dict[str, str]
    created: bool
    deleted: bool
    copied: bool
    submodule: bool


class _Parser:
    def __init__(self, lines: list[str], limits: DiffLimits, reading: ReadOptions) -> None:
        self.lines = lines
        self.limits = limits
        self.reading = reading
        self.at = 0  # the index of the line to be read next
        self.hunks = 0
        self.strays: list[Stray] = []
        self.notes: list[str] = []

    def run(self) -> Series:
        lines = self.lines
        steps: list[Step] = []
        touched: set[str] = set()
        while self.at < len(lines):
            line, start = lines[self.at], self.at + 1
            if line.startswith("diff --git "):
                step = self._git_file()
            elif is_header(self.lines, self.at):
                step = self._plain_file()
            elif HUNK.match(line):
                raise self._malformed("a hunk without a file header above it")
            elif line.startswith(("diff --cc ", "diff --combined ")):
                raise UnsupportedDiff("the combined diff of a merge; use git diff BEFORE AFTER", line=start)
            elif line.startswith(BINARY):
                self._binary(_TWO.match(line))
                continue
            else:
                self.at += 1
                continue
            if step is None:
                continue
            touched |= {path for path in (step.change.old, step.change.new) if path is not None}
            steps.append(step)
            if len(touched) > 2 * self.limits.files or len(steps) > 2 * self.limits.files:
                raise DiffTooLarge(f"the diff touches more than {self.limits.files} files")
        if not steps and not self.strays:
            raise MalformedDiff(hint(lines))
        if len({step.change.path for step in steps}) > self.limits.files:
            raise DiffTooLarge(f"the diff touches more than {self.limits.files} files")
        return Series(tuple(steps), tuple(self.strays), tuple(self.notes))

    def _peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else ""

    def _malformed(self, message: str) -> MalformedDiff:
        return MalformedDiff(message, line=self.at + 1)

    def _git_file(self) -> Step | None:
        """Read a file's change, which begins at ``at`` with ``diff --git``; then ``at`` is the line after it.

        The result is None for a stray, which is added to ``strays``, and for a change of the file's mode
        alone.
        """
        start, header = self.at, self.lines[self.at][len("diff --git ") :]
        self.at += 1
        about = self._extended()
        old, new = about.moved.get("from"), about.moved.get("to")
        if about.submodule:
            error = UnsafeDiff(f"mode {_SUBMODULE}: submodules are refused", line=start + 1)
            self._stray(self._header_path(header, start), "a submodule", error)
        elif self._peek().startswith(BINARY):
            self._binary(None, new or self._header_path(header, start))
        elif is_header(self.lines, self.at):
            step = self._plain_file(about.moved, start, copied=about.copied)
            if None not in {step.change.old, step.change.new}:
                return step
            # The header has both paths, which shows the prefixes.
            path = self._header_path(header, start)
            change = FileChange(step.change.old and path, step.change.new and path, step.change.hunks)
            return Step(change, step.line)
        elif old is not None and new is not None and about.copied:
            self._stray(new, f"a copy of {old}", UnsupportedDiff(_COPIES, line=start + 1))
        elif old is not None and new is not None:
            return Step(FileChange(old, new, ()), start + 1)
        elif about.created or about.deleted:
            path = self._header_path(header, start)
            sides = (None if about.created else path, None if about.deleted else path)
            return Step(FileChange(*sides, ()), start + 1)
        return None

    def _extended(self) -> _Extended:
        created = deleted = submodule = copied = False
        moved: dict[str, str] = {}
        while self.at < len(self.lines):
            line = self._peek()
            word, _, rest = line.partition(" mode ")
            if rest and word in {"new file", "deleted file", "old", "new"}:
                submodule = submodule or rest.strip() == _SUBMODULE
                if rest.strip() not in _FILE_MODES:
                    raise UnsafeDiff(
                        f"mode {rest.strip()[:20]}: links and special files are refused", line=self.at + 1
                    )
                created, deleted = created or word == "new file", deleted or word == "deleted file"
            elif line.startswith(("rename from ", "rename to ", "copy from ", "copy to ")):
                verb, side, path = line.split(" ", 2)
                copied = verb == "copy"
                moved[side] = paths.bare(path, self.reading.strip, self.at + 1)
            elif line.startswith(_IGNORED):
                submodule = submodule or line.endswith(f" {_SUBMODULE}")
            else:
                break
            self.at += 1
        return _Extended(moved, created, deleted, copied, submodule)

    def _stray(self, path: str, why: str, error: UnsafeDiff | UnsupportedDiff) -> None:
        # The function parse raises the error; read does not.
        self.strays.append(Stray(path, why, error))
        if is_header(self.lines, self.at):
            self.at += 2
            while self._peek().startswith("@@"):
                self._hunk()

    def _binary(self, two: re.Match[str] | None, path: str = "") -> None:
        error = UnsupportedDiff("binary content cannot be wargamed", line=self.at + 1)
        if not path:
            if two is None:
                raise error
            sides = [name for name in two.groups() if name != "/dev/null"] or ["a/binary"]
            path = paths.pair(sides[0], sides[-1], self.reading.strip, self.at + 1)[1]
        self.at += 1
        self.strays.append(Stray(path, "binary", error))

    def _header_path(self, header: str, at: int) -> str:
        # The header is "a/PATH b/PATH"; a blank in PATH makes any other way to split it ambiguous.
        half = len(header) // 2
        old, new = paths.pair(header[:half], header[half + 1 :], self.reading.strip, at + 1)
        if old != new:
            raise MalformedDiff("the two sides of the git header differ without a rename", line=at + 1)
        return old

    def _plain_file(
        self, moved: dict[str, str] | None = None, start: int | None = None, *, copied: bool = False
    ) -> Step:
        start = self.at if start is None else start
        left, right = self._peek()[4:], self._peek(1)[4:]
        old, new, other = self._sides(left, right, moved or {})
        self.at += 2
        hunks: list[Sized] = []
        while self._peek().startswith("@@"):
            hunks.append(self._hunk())
        if not hunks:
            raise self._malformed("no hunk follows the file header")
        self._check_order(hunks)
        if len(hunks) == 1:
            # diff -N also names a missing file, and gives it the date 1970-01-01.
            old = None if not hunks[0].old and not hunks[0].hunk.old_start and paths.epoch(left) else old
            new = None if not hunks[0].new and not hunks[0].hunk.new_start and paths.epoch(right) else new
        if (old is None or new is None) and len(hunks) > 1:
            raise self._malformed("a file that is created or deleted has one hunk")
        if old is None and hunks[0].old:
            raise self._malformed("a created file has no old lines")
        if new is None and hunks[0].new:
            raise self._malformed("a deleted file has no new lines")
        change = FileChange(old, new, tuple([sized.hunk for sized in hunks]))
        return Step(change, start + 1, copied, other if other != change.path else "")

    def _sides(self, left: str, right: str, moved: dict[str, str]) -> tuple[str | None, str | None, str]:
        """Return (old path, new path, path after ``---``); None as the path of a missing side.

        ``left`` and ``right`` are the texts after ``---`` and ``+++``; ``moved`` has the paths ``from`` and
        ``to`` of a rename or a copy. If the two paths of a file differ otherwise, such as ``x.py.orig`` and
        ``x.py``, the one after ``+++`` is old and new path. The third result is "" for a created, deleted,
        renamed or copied file.
        """
        old_name, new_name = paths.named(left), paths.named(right)
        if old_name == new_name == "/dev/null":
            raise self._malformed("both sides are /dev/null")
        sides = [name for name in (old_name, new_name) if name != "/dev/null"]
        if len(sides) == 1:
            only = paths.pair(old_name, new_name, self.reading.strip, self.at + 1)
            return (None, only[1], "") if old_name == "/dev/null" else (only[0], None, "")
        old, new = paths.pair(old_name, new_name, self.reading.strip, self.at + 1)
        if moved:
            if (old, new) != (moved.get("from"), moved.get("to")):
                raise self._malformed("the rename headers and the --- and +++ lines disagree")
            return old, new, ""
        if old != new and self._peek().startswith("--- a/") and self._peek(1).startswith("+++ b/"):
            if paths.without_backup(old) != new:
                raise self._malformed(f"{old} and {new} differ without rename headers")
            old = new
        # A plain diff may name a backup copy or another folder on either side.
        new = paths.without_backup(new) if paths.without_backup(new) == old else new
        return new, new, old

    def _check_order(self, hunks: list[Sized]) -> None:
        end, changes = 0, False
        for hunk, old, new, *_ in hunks:
            first = hunk.old_start if old else hunk.old_start + 1
            if first <= end:
                raise self._malformed(f"the hunk at old line {hunk.old_start} overlaps the one before it")
            end = first + old - 1
            # Lines that are on both sides are context, and counted once.
            changes = changes or not len(hunk.lines) == old == new
        if not changes:
            raise self._malformed("the hunks change nothing")

    def _hunk(self) -> Sized:
        self.hunks += 1
        if self.hunks > self.limits.hunks:
            raise DiffTooLarge(f"the diff has more than {self.limits.hunks} hunks", line=self.at + 1)
        sized = hunk_at(self.lines, self.at, recount=self.reading.recount)
        self.at = sized.end
        if sized.note:
            self.notes.append(sized.note)
        return sized
