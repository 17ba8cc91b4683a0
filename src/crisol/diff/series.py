"""What a text says is to be done, before it is laid over a tree."""

from __future__ import annotations

from dataclasses import dataclass

from crisol.diff.patch import FileChange
from crisol.errors import DiffError

__all__ = ["ReadOptions", "Series", "Step", "Stray"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a diff.

    ``strip`` leading parts are taken off every path, as by ``patch -p``; None takes off what git writes
    (``a/``, ``i/``). With ``recount`` a hunk is as long as its lines, whatever its header says.
    """

    strip: int | None = None
    recount: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one file; ``line`` is where it begins in the text.

    ``copied`` says that the old file stays. ``other`` is the old side's path where a plain diff names two
    files.
    """

    change: FileChange
    line: int
    copied: bool = False
    other: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A part of a diff that is no change of text, such as a submodule.

    ``error`` is how a strict reader refuses it.
    """

    path: str
    why: str
    error: DiffError


@dataclass(frozen=True, slots=True)
class Series:
    """All changes in the order of the text.

    A file may be changed more than once. ``notes`` say what was mended.
    """

    steps: tuple[Step, ...]
    strays: tuple[Stray, ...] = ()
    notes: tuple[str, ...] = ()
