"""A picture: a PNG image, and a sentence that says what it shows."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG image with a caption: a sentence that describes the image for readers who cannot see it.

    ``png`` is the content of the file. A notebook shows a picture that is the last expression of a cell.
    """

    caption: str
    png: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """The PNG as Base64 text, for a ``data:`` URL."""
        return base64.b64encode(self.png).decode("ascii")

    def _repr_png_(self) -> bytes:
        return self.png

    @classmethod
    def load(cls, path: Path) -> Picture:
        """Return the picture in the PNG file ``path``.

        The caption is the text of the file next to it with the same name and the ending ``.txt``. Raises
        ``OSError`` if one of the two files cannot be read.
        """
        return cls(path.with_suffix(".txt").read_text(encoding="utf-8"), path.read_bytes())
