"""Store the texts of patches by their identity, so that a model can be trained on the patches of trials."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from crisol.diff import parse
from crisol.errors import DiffError, StoreError

__all__ = ["PatchStore"]


class PatchStore:
    """A folder of diffs, each in a file named by the diff's identity.

    ``folder`` is the path of the folder, which is created when the first diff is added. Threads and processes
    may share the folder: a reader never sees a file that is only partly written. A file whose content does
    not match its name is treated as missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, text: str) -> str:
        """Store the diff ``text`` and return its identity, 64 hexadecimal digits.

        If the folder has a diff with this identity already, that diff is kept. A damaged file is replaced.
        Raises :class:`~crisol.errors.DiffError` for a text that is no diff, and
        :class:`~crisol.errors.StoreError` if the file cannot be written.
        """
        identity = parse(text).identity
        if self.get(identity) is not None:
            return identity
        path = self._path(identity)
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
        """Return the diff with the identity ``identity``; None if its file is missing or damaged."""
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
