"""A picture: PNG bytes and the sentence that says what they show."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with a caption, a sentence that describes it for readers who cannot see it.

    ``png`` are the file's bytes. A notebook displays a picture that is the last expression of a cell.
    """

    caption: str
    png: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """The bytes of the PNG, encoded for a ``data:`` URL."""
        return base64.b64encode(self.png).decode("ascii")

    def _repr_png_(self) -> bytes:
        return self.png

    @classmethod
    def load(cls, path: Path) -> Picture:
        """Read the PNG at ``path``, and its caption from the file next to it with the suffix ``.txt``.

        :meth:`~crisol.tracking.runs.TrackedRun.picture` stores both.
        """
        return cls(path.with_suffix(".txt").read_text(encoding="utf-8"), path.read_bytes())
