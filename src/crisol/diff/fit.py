"""Reduce a diff from a repository to those of its files that a release contains, and apply it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crisol.diff.apply import Edit, edited, edits, hunks, split
from crisol.diff.kinds import outside, says_version
from crisol.diff.patch import FileChange, Patch
from crisol.diff.places import FilePlaces, Tree, place
from crisol.errors import PatchDoesNotApply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.diff.series import Series, Step

__all__ = ["Fitted", "LeftOut", "cut", "fit"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a diff that is not judged: the ``path`` of its file, and ``why``, such as ``a test``."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path} ({self.why})"


@dataclass(frozen=True)
class Fitted:
    """The cut patch: the part of a diff that is judged, with notes on the rest.

    ``patch`` is that part. ``files`` maps each path that ``patch`` changes to the new text, None for a
    deleted file and for the old path of a renamed one; ``files`` is empty in a result of :func:`cut`, which
    reads no texts. ``left_out`` lists the parts of the diff that are not judged. ``notes`` are messages for
    people about how the diff was read, such as a replaced path prefix or a corrected line count.
    """

    patch: Patch
    files: dict[str, str | None] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """The notes and the parts of the diff that are not judged, in one line; "" if there is neither."""
        left = f"left out: {', '.join(map(str, self.left_out))}" if self.left_out else ""
        return "; ".join([*self.notes, *([left] if left else [])])


def fit(series: Series, tree: Tree) -> Fitted:
    """Apply a diff to the source of a release, and return the cut patch with the new texts of its files.

    ``series`` is the diff, ``tree`` the release. Changes of version strings are left out, and so are files
    that no wargame runs, such as tests and changelogs, which are recognised by their names. Raises
    :class:`~crisol.errors.PatchDoesNotApply` if the release lacks a file that the rest of the diff changes, a
    hunk does not match, a path could mean several files, or nothing remains of the diff. Raises
    :class:`~crisol.errors.UnsupportedDiff` for binary content of a file that the release contains and a
    wargame could run.
    """
    series, versions = _without_versions(series)
    places = place(series, tree)
    left = [LeftOut(path, why) for path, why in places.left_out.items()] + versions
    left += _strays(series, tree, places)
    work = _Work(tree, places)
    for step in series.steps:
        if step.change.path in places.left_out or (step.change.old or "") in places.left_out:
            continue
        try:
            why = work.take(step)
        except PatchDoesNotApply as error:
            raise PatchDoesNotApply("; ".join([str(error), *series.notes, *places.notes])) from None
        if why:
            left.append(LeftOut(step.change.path, why))
    patch, files = work.result()
    named = tuple(dict.fromkeys(left))
    if not patch.files:
        rest = f"; left out: {', '.join(map(str, named))}" if named else ": its changes cancel out"
        raise PatchDoesNotApply(f"nothing is left of the patch for this release{rest}")
    return Fitted(patch, files, named, (*series.notes, *places.notes))


def cut(series: Series) -> Fitted:
    """Return the cut patch of a diff, for use without the source of the release.

    ``series`` is the diff. Files that no wargame runs, such as tests and changelogs, are recognised by their
    names and left out. Hunks that only change version strings are left out, too. No hunk is compared with a
    source. Raises :class:`~crisol.errors.PatchDoesNotApply` if nothing remains.
    """
    series, versions = _without_versions(series)
    left = [LeftOut(stray.path, stray.why) for stray in series.strays] + versions
    kept: dict[tuple[str | None, str | None], FileChange] = {}
    for step in series.steps:
        change = step.change
        if why := outside(change.path, present=False):
            left.append(LeftOut(change.path, why))
            continue
        before = kept.get((change.old, change.new))
        kept[change.old, change.new] = FileChange(
            change.old, change.new, (before.hunks if before else ()) + change.hunks
        )
    if not kept:
        raise PatchDoesNotApply(f"nothing is left of the patch: {', '.join(map(str, left))}")
    changes = sorted(kept.values(), key=lambda change: (change.path, change.old or ""))
    return Fitted(Patch(tuple(changes)), {}, tuple(dict.fromkeys(left)), series.notes)


def _without_versions(series: Series) -> tuple[Series, list[LeftOut]]:
    # Hunks with version strings alone seldom match a release, and have no effect on a vulnerability.
    steps: list[Step] = []
    left: list[LeftOut] = []
    for step in series.steps:
        change = step.change
        kept = tuple([hunk for hunk in change.hunks if not says_version(hunk)])
        if len(kept) == len(change.hunks):
            steps.append(step)
            continue
        left.append(LeftOut(change.path, "its version string"))
        if kept or change.old != change.new:
            steps.append(replace(step, change=replace(change, hunks=kept)))
    return replace(series, steps=tuple(steps)), left


def _strays(series: Series, tree: Tree, places: FilePlaces) -> list[LeftOut]:
    """Return a :class:`LeftOut` for each stray: binary content, a submodule or a mere copy of a file.

    Raises the ``error`` of a stray that is binary content for a file of the release which a wargame may run.
    """
    for stray in series.strays:
        path = places.path(stray.path) or stray.path
        there = stray.why == "binary" and tree.read(path) is not None
        if there and not outside(path, present=True):
            raise stray.error
    return [LeftOut(stray.path, stray.why) for stray in series.strays]


@dataclass(slots=True)
class _File:
    """One file that a diff changes once or several times.

    ``origin`` is the file's path in the release, None for a new file. ``before`` are its lines in the
    release, ``lines`` its present lines. ``steps`` has the edits of each change, which apply to the lines
    that the change before it made.
    """

    origin: str | None
    before: list[str]
    lines: list[str]
    steps: list[list[Edit]] = field(default_factory=list)

    def take(self, change: FileChange) -> None:
        made = edits(change, self.lines)
        self.lines = edited(self.lines, made)
        self.steps.append(made)

    def write(self, lines: list[str]) -> None:
        self.steps.append([Edit(0, len(self.lines), lines)])
        self.lines = lines

    def edits(self) -> list[Edit]:
        if len(self.steps) == 1:
            return _trimmed(self.before, self.steps[0])
        # The index in ``before`` of each line after the steps so far, -1 for an added line.
        origin = list(range(len(self.before)))
        for made in self.steps:
            moved: list[int] = []
            done = 0
            for edit in made:
                moved += origin[done : edit.at]
                moved += [-1] * len(edit.added)
                done = edit.at + edit.removed
            origin = moved + origin[done:]
        return _trimmed(self.before, _from_origins(self.lines, origin, len(self.before)))


def _from_origins(lines: Sequence[str], origin: Sequence[int], total: int) -> list[Edit]:
    """Return the edits that turn the ``total`` old lines of a file into ``lines``.

    ``origin`` has, for each of ``lines``, its 0-based index among the old lines, or -1 for a new line.
    """
    made: list[Edit] = []
    at, added = 0, list[str]()
    for line, source in zip([*lines, ""], [*origin, total], strict=True):
        if source < 0:
            added.append(line)
            continue
        if added or source > at:
            made.append(Edit(at, source - at, added))
            added = []
        at = source + 1
    return made


def _trimmed(before: Sequence[str], made: Sequence[Edit]) -> list[Edit]:
    """Return the edits, each without the first and last lines that it removes and adds again.

    An edit that changes no line is left out. ``before`` are the lines before the edits.
    """
    out: list[Edit] = []
    for at, removed, added in made:
        old = before[at : at + removed]
        head = 0
        while head < min(len(old), len(added)) and old[head] == added[head]:
            head += 1
        tail = 0
        while tail < min(len(old), len(added)) - head and old[-1 - tail] == added[-1 - tail]:
            tail += 1
        if head + tail < max(len(old), len(added)):
            out.append(Edit(at + head, removed - head - tail, added[head : len(added) - tail]))
    return out


class _Work:
    """The files of a release to which a diff is applied, step by step.

    ``files`` maps the present path to each file that was read or created, ``gone`` the path in the release to
    each file that was deleted. A new file at the path of a deleted one counts as a change of that file.
    """

    def __init__(self, tree: Tree, places: FilePlaces) -> None:
        self.tree = tree
        self.places = places
        self.files: dict[str, _File] = {}
        self.gone: dict[str, _File] = {}

    def take(self, step: Step) -> str:
        """Apply one step of the diff; return "", or the reason why the step is left out.

        A step is left out if it creates a file that no wargame runs or that lies outside the release. Raises
        :class:`~crisol.errors.PatchDoesNotApply` if the step does not fit the files.
        """
        change, places = step.change, self.places
        old = None if change.old is None else places.path(change.old)
        new = None if change.new is None else places.path(change.new)
        file = None if old is None else self._open(old)
        if change.new is not None and file is None and (change.old is None or change.creates):
            return self._create(new, change)
        if old is None or file is None:
            raise PatchDoesNotApply(f"{change.old}: no such file in the source")
        if new is None and change.new is not None:
            raise PatchDoesNotApply(f"{change.new}: the patch moves a file out of the release")
        if new is None:
            file.take(change)
            if file.lines:
                raise PatchDoesNotApply(f"{change.old}: the patch deletes the file but leaves lines of it")
            self._delete(old)
            return ""
        if new != old or step.copied:
            file = self._move(old, new, copied=step.copied)
        file.take(change)
        return ""

    def _create(self, path: str | None, change: FileChange) -> str:
        if why := outside(change.path, present=False):
            return why
        if path is None:
            return "a new file outside the release"
        self._check_free(path, None)
        self._new(path).take(change)
        return ""

    def _move(self, old: str, new: str, *, copied: bool) -> _File:
        """Move or copy the file at ``old`` to ``new``, and return the file that is there afterwards."""
        file = self.files[old]
        self._check_free(new, None if copied else file)
        if copied or new in self.gone:
            lines = file.lines
            if not copied:
                self._delete(old)
            file = self._new(new)
            file.write(lines)
        else:
            self.files[new] = self.files.pop(old)
        return file

    def _new(self, path: str) -> _File:
        self.files[path] = self.gone.pop(path) if path in self.gone else _File(None, [], [])
        return self.files[path]

    def _delete(self, path: str) -> None:
        file = self.files.pop(path)
        file.write([])
        if file.origin is not None:
            self.gone[file.origin] = file

    def _check_free(self, path: str, moved: _File | None) -> None:
        if self._open(path) is not None:
            raise PatchDoesNotApply(f"{path}: the file exists already")
        if any(file.origin == path and file is not moved for file in self.files.values()):
            raise PatchDoesNotApply(f"{path}: the patch moves the file away and makes another of that name")

    def _open(self, path: str) -> _File | None:
        if path in self.files:
            return self.files[path]
        if path in self.gone or any(file.origin == path for file in self.files.values()):
            return None
        text = self.tree.read(path)
        if text is None:
            return None
        lines = split(text)
        return self.files.setdefault(path, _File(path, lines, lines))

    def result(self) -> tuple[Patch, dict[str, str | None]]:
        """Return (one patch that makes all changes so far, the new texts of the changed files by path).

        The text is None at the path of a deleted file and at the old path of a renamed one.
        """
        changes: list[FileChange] = []
        texts: dict[str, str | None] = {}
        for path, file in self.gone.items():
            whole = hunks(file.before, [Edit(0, len(file.before), [])] if file.before else [])
            changes.append(FileChange(path, None, whole))
            texts[path] = None
        for path, file in self.files.items():
            if file.lines == file.before and file.origin == path:
                continue
            made = file.edits() if file.lines != file.before else []
            changes.append(FileChange(file.origin, path, hunks(file.before, made)))
            if file.origin is not None:
                texts[file.origin] = None
            texts[path] = "".join(file.lines)
        return Patch(tuple(sorted(changes, key=lambda change: (change.path, change.old or "")))), texts
