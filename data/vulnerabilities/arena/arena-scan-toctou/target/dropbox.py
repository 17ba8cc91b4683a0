"""Publish files of an inbox after a scan."""

import shutil
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1_000_000


class DropError(Exception):
    """A file that is not published."""


@dataclass(frozen=True)
class Published:
    """A file on the public site."""

    name: str
    size: int


class Dropbox:
    """An inbox that many may write to and a public folder.

    `is_clean(content)` tells whether a scanner finds nothing in the bytes; it may take a while.
    """

    def __init__(self, inbox, public, is_clean):
        self.inbox = Path(inbox)
        self.public = Path(public)
        self._is_clean = is_clean

    def _source(self, name):
        path = self.inbox / name
        if path.parent != self.inbox or name.startswith("."):
            raise DropError(f"bad name {name!r}")
        if path.is_symlink() or not path.is_file():
            raise DropError(f"there is no file {name!r}")
        if path.stat().st_size > MAX_BYTES:
            raise DropError(f"{name!r} is too large")
        return path

    def _check(self, path):
        if not self._is_clean(path.read_bytes()):
            raise DropError(f"{path.name!r} is not clean")

    def _copy(self, path):
        destination = self.public / path.name
        shutil.copyfile(path, destination)
        path.unlink()
        return Published(path.name, destination.stat().st_size)

    def publish(self, name):
        """Scan a file of the inbox and move it to the public folder."""
        path = self._source(name)
        self._check(path)
        return self._copy(path)

    def publish_all(self):
        """Scan all files of the inbox, then move them; nothing is moved unless all are clean."""
        paths = [self._source(path.name) for path in sorted(self.inbox.iterdir())]
        for path in paths:
            self._check(path)
        return [self._copy(path) for path in paths]
