"""The files of a vulnerability's folder, possibly a stranger's: plain ones, of a bounded size, inside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from crisol.errors import VulnerabilityError

__all__ = ["content", "inner", "refuse_unsafe", "regular_files"]

_PARTS = ("pov", "checks", "patches", "target")
_MAX_FILES, _MAX_FILE, _MAX_ALL = 5_000, 16 << 20, 64 << 20


def refuse_unsafe(folder: Path) -> None:
    """Raise an error unless an untrusted vulnerability folder is safe to read.

    A safe folder holds plain files and folders only, of bounded number and size. Raises
    :class:`~crisol.errors.VulnerabilityError` that names the link, the special file or the size.
    """
    count = total = 0
    for path in (folder / "vulnerability.toml", *(folder / part for part in _PARTS)):
        _plain(path)
    for path in (file for part in _PARTS for file in regular_files(folder / part)):
        count, total = count + 1, total + path.stat().st_size
        if count > _MAX_FILES or path.stat().st_size > _MAX_FILE or total > _MAX_ALL:
            raise VulnerabilityError(
                f"{path}: a vulnerability has at most {_MAX_FILES} files of {_MAX_FILE >> 20} MiB, "
                f"{_MAX_ALL >> 20} MiB together"
            )


def _plain(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a link" if stat.S_ISLNK(mode) else "not a plain file"
        raise VulnerabilityError(
            f"{path} is {kind}; a vulnerability's folder holds plain files and folders only"
        )


def regular_files(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted, without ``__pycache__``.

    Raises :class:`~crisol.errors.VulnerabilityError` for a link or special file.
    """
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in (*folders, *names):
            _plain(Path(parent, name))
        files += (Path(parent, name) for name in names)
    return sorted(files)


def content(path: Path) -> bytes:
    """Return the bytes of a plain file.

    Reading stops at the size limit for a file of a vulnerability. A link raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MAX_FILE)


def inner(folder: Path, name: str) -> Path:
    """Return the path of the folder ``name`` below ``folder``.

    Raises :class:`~crisol.errors.VulnerabilityError` where that path lies outside ``folder``.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise VulnerabilityError(f"{folder}: {name!r} leads out of the folder")
    return path
