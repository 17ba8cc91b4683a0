"""A patch as the kernel has read it, without an object for every line."""

from __future__ import annotations

from array import array
from functools import cached_property

from crisol.diff import FileChange, Patch, parse

__all__ = ["PlainPatch"]


class PlainPatch(Patch):
    """The patch that :func:`crisol.diff.parse` makes of ``text``, which becomes files and lines when they are asked for.

    ``identity`` is known already, as are the ``lines`` of all hunks, ``size`` bytes in ``memory`` from the address ``at``
    on, and their ``shape``, without a weakness, as in ``kernel.c``.
    """

    text: str
    memory: array[int]
    at: int
    size: int
    shape: array[int]

    def __init__(
        self, text: str, identity: str, *, memory: array[int], at: int, size: int, shape: array[int]
    ) -> None:
        vars(self).update(text=text, identity=identity, memory=memory, at=at, size=size, shape=shape)

    @cached_property
    def files(self) -> tuple[FileChange, ...]:
        """What happens to each file."""
        return parse(self.text).files

    def __eq__(self, other: object) -> bool:
        """Compare as patches, whoever has read them."""
        return self.files == other.files if isinstance(other, Patch) else NotImplemented

    __hash__ = Patch.__hash__
