"""The text of patches by their identity: what a trial points to, kept so that a model can learn from it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from crisol.diff import parse
from crisol.errors import DiffError, StoreError

__all__ = ["PatchStore"]


class PatchStore:
    """A folder of diffs named by identity, shared by any number of threads and processes.

    Adding is atomic and happens once for each identity. What is read is checked against its name, so that a
    file that was damaged or exchanged never becomes training data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, text: str) -> str:
        """Keep a diff and return its identity.

        Raises DiffError for a text without a diff, StoreError where the disk refuses.
        """
        identity = parse(text).identity
        path = self._path(identity)
        if path.is_file():
            return identity
        name = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(name).replace(path)
        except (OSError, UnicodeEncodeError) as error:
            if name:
                Path(name).unlink(missing_ok=True)
            raise StoreError(f"{path}: the patch cannot be kept: {error}") from None
        return identity

    def get(self, identity: str) -> str | None:
        """Return the diff, or None where it was not kept or is no longer what its name says."""
        if not identity.isalnum():
            return None
        try:
            with self._path(identity).open(encoding="utf-8", newline="") as stream:
                text = stream.read()
            return text if parse(text).identity == identity else None
        except (OSError, UnicodeDecodeError, DiffError):
            return None

    def _path(self, identity: str) -> Path:
        return self._folder / identity[:2] / f"{identity}.diff"
