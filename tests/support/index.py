"""A package index of the file system, and source archives to put into it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

__all__ = ["digest", "own_index", "sdist"]


def own_index(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make an empty index, the only one that pip may ask, and return its folder."""
    root = folder / "index"
    root.mkdir()
    config = folder / "pip.conf"
    config.write_text(f"[global]\nno-index = true\nfind-links = {root}\n")
    patch.setenv("PIP_CONFIG_FILE", str(config))
    patch.setenv("PIP_FIND_LINKS", str(root))
    patch.setenv("PIP_NO_INDEX", "1")
    return root


def sdist(path: Path, members: dict[str, bytes], link: str = "") -> Path:
    """Write a source archive with these members, and a link out of it where one is named."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("pkg-1.0/link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    return path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
