"""Find the file of a release that each path of a diff means.

The diff of a repository may have other folders at the front of its paths than the release.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from crisol.diff.apply import edited, edits, split
from crisol.diff.kinds import outside
from crisol.errors import PatchDoesNotApply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crisol.diff.series import Series, Step

__all__ = ["FilePlaces", "Tree", "place"]

_MOST_CHOICES = 64
_SHOWN = 4


@dataclass(frozen=True)
class Tree:
    """The source of a release, as two functions.

    ``read(path)`` returns the text of a file, or None if there is no such file. ``names()`` returns the paths
    of all files. Paths are relative to the release's folder.
    """

    read: Callable[[str], str | None]
    names: Callable[[], Iterable[str]]

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """All paths of the release by the name of their file: ``x.py`` maps to a sorted list of paths."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.names()):
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return found


@dataclass(slots=True)
class FilePlaces:
    """Which file of the release each path of a diff means.

    ``found`` maps a path of the diff to a path of the release. ``left_out`` has the paths of the diff that a
    wargame does not need, each with the reason, such as ``a test`` or ``another copy of app.py``.
    """

    found: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def path(self, path: str) -> str | None:
        """Return the path in the release that ``path``, a path in the diff, means; None if there is none.

        If ``found`` maps ``path``, the result is the mapped path. For any other path, such as that of a new
        file, a prefix is replaced as in ``found``: if ``found`` maps ``src/app/a.py`` to ``app/a.py``, then
        ``src/app/new.py`` gives ``app/new.py``. Of several prefixes that fit, the longest is replaced. If
        none fits, the result is None. If ``found`` is empty, or all its files have other names in the
        release, ``path`` is returned unchanged.
        """
        if path in self.found:
            return self.found[path]
        mappings = sorted(set(self._prefixes), key=lambda pair: -len(pair[0]))
        for cut, put in mappings:
            if path.startswith(cut):
                return put + path[len(cut) :]
        return None if mappings else path

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages for people, one for each path prefix that was replaced, such as ``src/ read as ./``.

        A file that has another file name in the release than in the diff has a message of its own.
        """
        prefixes = (pair for pair in dict.fromkeys(self._prefixes) if pair != ("", ""))
        renamed = [pair for pair in self.found.items() if not _same_file_name(*pair)]
        return tuple(f"{cut or './'} read as {put or './'}" for cut, put in (*prefixes, *renamed))

    @property
    def _prefixes(self) -> list[tuple[str, str]]:
        return [_mapping(*pair) for pair in self.found.items() if _same_file_name(*pair)]


def place(series: Series, tree: Tree) -> FilePlaces:
    """Return the :class:`FilePlaces` of a diff: which file of the release each of its paths means.

    ``series`` is the diff, ``tree`` the release. A path means the file with the same path, if the release has
    one. Otherwise it means a file whose path ends in the same folder and name. Of several such files it means
    the one that the diff's first change of this path fits, or else the one whose path differs least. Files
    that no wargame runs, such as tests, go to ``left_out``. Raises :class:`~crisol.errors.PatchDoesNotApply`
    if a path may mean several files, or if there is no file for a path that is neither new nor left out.
    """
    places, made = FilePlaces(), set[str]()
    open_: dict[str, list[str]] = {}
    first: dict[str, Step] = {}
    for step in series.steps:
        old, new = step.change.old, step.change.new
        if old is not None and old not in made and old not in first:
            first[old] = step
        if new is not None and new != old:
            made.add(new)
    for path, step in first.items():
        choices = _choices(path, tree)
        if not choices and step.other:
            choices = _choices(step.other, tree)
        kind = outside(path, present=bool(choices)) or _kind_outside_packages(choices, tree)
        if kind:
            places.left_out[path] = kind
        elif choices:
            open_[path] = choices
        elif not step.change.creates:
            near = f"; it has {', '.join(same[:_SHOWN])}" if (same := _same_name(path, tree)) else ""
            raise PatchDoesNotApply(f"{path}: no such file in the source{near}")
    _decide(places, open_, first, tree)
    return places


def _kind_outside_packages(choices: list[str], tree: Tree) -> str:
    """Return the kind, such as ``a test``, of a file outside all packages that no wargame runs; else "".

    The file is the first of ``choices``, which a path of a diff can mean. It is outside all packages if the
    top folder of its path has no ``__init__.py``.
    """
    top, _, rest = choices[0].partition("/") if choices else ("", "", "")
    return outside(choices[0], present=False) if rest and tree.read(f"{top}/__init__.py") is None else ""


def _decide(places: FilePlaces, open_: dict[str, list[str]], first: dict[str, Step], tree: Tree) -> None:
    """Add the file of the release that each path of a diff means to ``places.found``.

    ``open_`` maps a path to the files that it may mean; its lists may be changed. ``first`` maps a path to
    its first step. Of several files, those that the step fits are preferred, then those whose path differs
    least. If several such files fit, the path means the one that needs the same change of prefix as a decided
    path, and :class:`~crisol.errors.PatchDoesNotApply` is raised unless this is a single one. If none fits,
    it means the first.
    """
    unclear: dict[str, list[str]] = {}
    for path, choices in open_.items():
        if len(choices) > 1:
            fitting = [choice for choice in choices if _text_after(first[path], choice, tree) is not None]
            best = _closest(path, fitting or choices)
            if len(best) > 1 and fitting:
                unclear[path] = best
                continue
            choices[:] = best
        places.found[path] = choices[0]
    used = {_mapping(*pair) for pair in places.found.items()}
    for path, choices in unclear.items():
        agreeing = [choice for choice in choices if _mapping(path, choice) in used]
        if len(agreeing) != 1:
            shown = ", ".join(choices[:_SHOWN]) + (", …" if len(choices) > _SHOWN else "")
            raise PatchDoesNotApply(
                f"{path} could be {shown}: name the file as the release does, or use --strip"
            )
        places.found[path] = agreeing[0]
    _one_each(places, first, tree)


def _one_each(places: FilePlaces, first: dict[str, Step], tree: Tree) -> None:
    """Keep one path where several paths of a diff mean the same file, such as ``lib/x.py`` and ``lib3/x.py``.

    The first path whose change fits the file is kept, or the first path if none fits; the others move to
    ``places.left_out``. Raises :class:`~crisol.errors.PatchDoesNotApply` if several changes fit and give
    different texts.
    """
    count = Counter(places.found.values())
    for target in [target for target, times in count.items() if times > 1]:
        paths = [path for path, place in places.found.items() if place == target]
        results = {path: _text_after(first[path], target, tree) for path in paths}
        fitting = [path for path in paths if results[path] is not None]
        if len({results[path] for path in fitting}) > 1:
            raise PatchDoesNotApply(f"{' and '.join(fitting)} could both be {target}: leave one of them out")
        for path in paths:
            if path != (fitting or paths)[0]:
                del places.found[path]
                places.left_out[path] = f"another copy of {target}"


def _choices(path: str, tree: Tree) -> list[str]:
    """Return, sorted, the files of the release that ``path``, a path of a diff, may mean.

    A file with the same path is the only choice. Otherwise these are the files whose path ends with the same
    folder and file name. Raises :class:`~crisol.errors.PatchDoesNotApply` if there are more than 64.
    """
    if tree.read(path) is not None:
        return [path]
    out: list[str] = []
    parts = path.split("/")
    for candidate in tree.by_name.get(parts[-1], ()):
        theirs = candidate.split("/")
        common = 0
        while common < min(len(parts), len(theirs)) and parts[-1 - common] == theirs[-1 - common]:
            common += 1
        # An equal file name alone is not enough, unless one of the two paths has no folder.
        if common > 1 or common in {len(parts), len(theirs)}:
            out.append(candidate)
    if len(out) > _MOST_CHOICES:
        raise PatchDoesNotApply(
            f"{path} could be {len(out)} files: name it as the release does, or use --strip"
        )
    return out


def _closest(path: str, choices: list[str]) -> list[str]:
    def rank(choice: str) -> int:
        # An equal path is best, then one that lacks folders at the front, then one that adds some.
        cut, put = _mapping(path, choice)
        return 2 * bool(put) + bool(cut)

    best = min(map(rank, choices))
    return [choice for choice in choices if rank(choice) == best]


def _mapping(path: str, target: str) -> tuple[str, str]:
    """Return the prefixes in which two paths differ: ("src/", "lib/") for ``src/a.py`` and ``lib/a.py``."""
    left, right = path.split("/"), target.split("/")
    while left and right and left[-1] == right[-1]:
        left.pop()
        right.pop()
    return "".join(f"{part}/" for part in left), "".join(f"{part}/" for part in right)


def _text_after(step: Step, target: str, tree: Tree) -> str | None:
    lines = split(tree.read(target) or "")
    try:
        return "".join(edited(lines, edits(step.change, lines)))
    except PatchDoesNotApply:
        return None


def _same_file_name(path: str, target: str) -> bool:
    return path.rpartition("/")[2] == target.rpartition("/")[2]


def _same_name(path: str, tree: Tree) -> list[str]:
    return tree.by_name.get(path.rpartition("/")[2], [])
