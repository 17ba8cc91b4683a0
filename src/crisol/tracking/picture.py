"""A picture: PNG bytes and the sentence that says what they show."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with a caption, a sentence that describes it for readers who cannot see it.

    A notebook displays it where it is the last expression of a cell.
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
        """Read a PNG and its caption, as :meth:`~crisol.tracking.runs.TrackedRun.picture` stored them."""
        return cls(path.with_suffix(".txt").read_text(encoding="utf-8"), path.read_bytes())
