"""The changes of a diff in the order of its text, and the options with which a diff is read."""

from __future__ import annotations

from dataclasses import dataclass

from crisol.diff.patch import FileChange
from crisol.errors import DiffError

__all__ = ["ReadOptions", "Series", "Step", "Stray"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read the paths and line counts of a diff.

    ``strip`` is the number of leading folders to remove from every path, as in ``patch -p``; None removes the
    prefixes that git writes (such as ``a/`` and ``b/``). A path without that many folders is refused, with
    :class:`~crisol.errors.UnsafeDiff`. With ``recount`` the lines of each hunk are counted, and the counts in
    its header are ignored.
    """

    strip: int | None = None
    recount: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one file in a diff.

    ``line`` is the 1-based line of the diff at which ``change`` begins. ``copied`` is True if ``change.new``
    is a copy of ``change.old``, which stays unchanged. Some diffs name one file differently after ``---`` and
    ``+++``, such as ``old/x.py`` and ``x.py``; ``other`` is then the path after ``---``. Otherwise, also for
    a rename, it is "".
    """

    change: FileChange
    line: int
    copied: bool = False
    other: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A part of a diff that a wargame cannot apply: binary content, a submodule, or a mere copy of a file.

    ``path`` is the file's path. ``why`` is ``binary``, ``a submodule`` or ``a copy of PATH``. ``error`` is
    the exception that :func:`~crisol.diff.parse` raises for it.
    """

    path: str
    why: str
    error: DiffError


@dataclass(frozen=True, slots=True)
class Series:
    """All changes of a diff, in the order of its text; a file may be changed more than once.

    ``steps`` are the changes of texts. ``strays`` are the parts that a wargame cannot apply, such as binary
    content. ``notes`` are messages for people about corrected line counts, and about missing lines that were
    read as empty ones.
    """

    steps: tuple[Step, ...]
    strays: tuple[Stray, ...] = ()
    notes: tuple[str, ...] = ()
