"""How to read a diff.

``strip`` leading parts are removed from every path, as by ``patch -p``; None removes what git writes
(``a/``, ``i/``). ``recount`` counts the lines of each hunk instead of believing its header.
"""

from __future__ import annotations

from dataclasses import dataclass

from crisol.diff.patch import FileChange
from crisol.errors import DiffError

__all__ = ["ReadOptions", "Series", "Step", "Stray"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a diff.

    ``strip`` is the number of leading parts that are removed from every path, as by ``patch -p``; None
    removes the prefixes that git writes (``a/``, ``i/``). With ``recount`` the lines of a hunk are counted,
    and its header's counts are ignored.
    """

    strip: int | None = None
    recount: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one file; ``line`` is the 1-based line of the text at which it begins.

    ``copied`` means that ``change.old`` stays and ``change.new`` is a copy of it. A plain diff may name two
    different paths for one file; ``other`` is then the path after ``---``, else "".
    """

    change: FileChange
    line: int
    copied: bool = False
    other: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A part of a diff that is not judged because it changes no text: binary content, a submodule or a copy.

    ``path`` is the file. ``why`` says for people what it is. ``error`` is the exception that
    :func:`~crisol.diff.parse` raises for it.
    """

    path: str
    why: str
    error: DiffError


@dataclass(frozen=True, slots=True)
class Series:
    """All changes of a diff, as ``steps`` in the order of the text; a file may be changed more than once.

    ``strays`` are the parts of the diff that change no text. ``notes`` are messages for people about line
    counts of hunks that were corrected.
    """

    steps: tuple[Step, ...]
    strays: tuple[Stray, ...] = ()
    notes: tuple[str, ...] = ()
