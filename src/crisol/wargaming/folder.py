"""Read the files of an untrusted vulnerability folder: no links, and limits on number and size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from crisol.errors import VulnerabilityError

__all__ = ["content", "inner", "refuse_unsafe", "regular_files"]

_PARTS = ("pov", "checks", "patches", "target")
_MAX_FILES, _MAX_FILE, _MAX_ALL = 5_000, 16 << 20, 64 << 20


def refuse_unsafe(folder: Path) -> None:
    """Check that an untrusted vulnerability folder can be read without harm.

    ``vulnerability.toml``, the folders ``pov``, ``checks``, ``patches`` and ``target``, and all below them
    must be regular files or folders; links are refused. The four folders together may contain at most 5,000
    files, of at most 16 MiB each and 64 MiB in total. Raises :class:`~crisol.errors.VulnerabilityError`,
    which names the first file that breaks a rule.
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
    """Return the paths of all files below a folder, sorted, without those in ``__pycache__``.

    A missing folder has no files. Raises :class:`~crisol.errors.VulnerabilityError` for a symbolic link or a
    special file.
    """
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in (*folders, *names):
            _plain(Path(parent, name))
        files += (Path(parent, name) for name in names)
    return sorted(files)


def content(path: Path) -> bytes:
    """Return the content of a regular file, cut off at 16 MiB.

    That is the size limit of a file in a vulnerability's folder, see :func:`refuse_unsafe`. Raises
    ``OSError`` for a symbolic link and for a file that cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MAX_FILE)


def inner(folder: Path, name: str) -> Path:
    """Return the absolute path of ``name``, which must lie inside ``folder``; links are resolved.

    ``name`` is a path relative to ``folder``; no file need exist there. Raises
    :class:`~crisol.errors.VulnerabilityError` if the path lies outside, as ``../other`` does.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise VulnerabilityError(f"{folder}: {name!r} leads out of the folder")
    return path
