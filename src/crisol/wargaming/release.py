"""Download releases from the package index, check their SHA-256 and unpack them; none is executed."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from filelock import FileLock
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crisol.errors import IndexUnavailable, IntegrityError, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Archive", "fits", "unpacked"]

_MAX_FILES = 20_000
_MAX_BYTES = 256 << 20
_MAX_HEADER = 1 << 20
# A full or locked disk is no fault of an archive.
_OURS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE)
)
_OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}

# pip's own finder and session know every index, certificate and proxy that the user configured; running them
# apart keeps pip's logging and internals out of our process. `pip download` would execute a setup.py.
_DOWNLOAD = """
import os
import shutil
import sys
from pip._internal.commands import create_command
package, archive, target = sys.argv[1:]
command = create_command("download")
options, _ = command.parse_args(["--disable-pip-version-check"])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    links = [c.link for c in finder.find_all_candidates(package) if c.link.filename == archive]
    if not links:
        sys.exit(f"the index offers no {archive}")
    if links[0].is_file:
        try:
            shutil.copyfile(links[0].file_path, target)
        except OSError as error:
            os._exit(error.errno)
        sys.exit()
    response = session.get(links[0].url_without_fragment, stream=True)
    response.raise_for_status()
    with open(target, "wb") as out:
        for chunk in response.iter_content(1 << 16):
            try:
                out.write(chunk)
                out.flush()
            except OSError as error:
                os._exit(error.errno)
"""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of a package in the package index, to be downloaded.

    ``package`` is the package's name, ``name`` the file name, ``sha256`` the hash that the file must have.
    ``root`` is the folder in the archive that is put on ``sys.path``, "" for its top; in a source
    distribution it is relative to the single folder at the top.
    """

    package: str
    name: str
    sha256: str
    root: str = ""


@cache
def fits(archive: str) -> bool:
    """Return whether this Python can import the content of an archive; ``archive`` is its file name.

    Python can import every source distribution, and a wheel for this Python version and platform.
    """
    if not archive.endswith(".whl"):
        return True
    try:
        *_, tags = parse_wheel_filename(archive)
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(sys_tags())


def unpacked(archive: Archive, cache: Path) -> Path:
    """Return the folder with an archive's importable content; download and unpack the archive if necessary.

    The folder is kept below ``cache``. Raises :class:`~crisol.errors.IndexUnavailable` if the index does not
    answer or lacks the archive, :class:`~crisol.errors.IntegrityError` if the archive has another SHA-256
    than ``archive`` says, is unsafe to unpack or lacks the folder ``archive.root``, and
    :class:`~crisol.errors.StoreError` if ``cache`` cannot be written.
    """
    folder = cache / "releases" / archive.sha256[:16]
    root = folder / archive.root
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_suffix(".lock")):
                if not folder.is_dir():
                    _fill(archive, folder)
        except OSError as error:
            raise unwritable(folder.parent, error) from None
    if not root.is_dir() or not root.resolve().is_relative_to(folder.resolve()):
        raise IntegrityError(
            f"{archive.name} holds no folder {archive.root!r}; correct root in vulnerability.toml"
        )
    return root


def _fill(archive: Archive, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        path = Path(scratch) / archive.name
        _download(archive, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != archive.sha256:
            raise IntegrityError(f"{archive.name}: SHA-256 is {digest}, expected {archive.sha256}")
        tree = Path(scratch) / "tree"
        tree.mkdir()
        _unpack(path, tree)
        tree.rename(folder)


def _download(archive: Archive, path: Path) -> None:
    command = [sys.executable, "-c", _DOWNLOAD, archive.package, archive.name, str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=180)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        if (code := getattr(error, "returncode", 0)) in _OURS:
            raise OSError(code, os.strerror(code)) from None
        output = error.stderr or ""
        last = (output if isinstance(output, str) else output.decode()).strip().rpartition("\n")[2]
        raise IndexUnavailable(
            f"cannot download {archive.name} ({last or 'timed out'}); check pip's index"
        ) from None


def _unpack(path: Path, tree: Path) -> None:
    """Write the regular files of an archive below ``tree``.

    Raises :class:`~crisol.errors.IntegrityError` for every fault of the archive. An error of this machine,
    such as a full disk, stays an ``OSError``.
    """
    try:
        _write(path, tree)
    except IntegrityError:
        raise
    except Exception as error:
        # The readers of tar, zip, gzip and the like raise a dozen types of exceptions.
        if isinstance(error, OSError) and error.errno in _OURS:
            raise
        raise IntegrityError(
            f"{path.name} cannot be unpacked: {type(error).__name__}: {error}"[:300]
        ) from None


def _write(path: Path, tree: Path) -> None:
    opened: IO[bytes]
    total = 0
    sdist = not path.name.endswith(".whl")
    for count, (name, size, opened) in enumerate(_members(path)):
        parts = PurePosixPath(name).parts[1 if sdist else 0 :]
        total += size
        if count >= _MAX_FILES or total > _MAX_BYTES:
            raise IntegrityError(
                f"{path.name} unpacks to more than {_MAX_FILES} files or {_MAX_BYTES >> 20} MiB"
            )
        if name.startswith("/") or "\\" in name or ".." in parts:
            raise IntegrityError(f"{path.name} holds the unsafe name {name!r}")
        if not parts:
            continue
        target = tree.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(opened, out)
        os.utime(target, (0, 0))


class _Bounded:
    """A decompressed tar file with limits, which :mod:`tarfile` lacks, on its length and on a single read.

    Beyond a limit :meth:`read` and :meth:`seek` raise :class:`~crisol.errors.IntegrityError`.
    """

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def tell(self) -> int:
        return self._content.tell()

    def seek(self, position: int, whence: int = 0) -> int:
        self._check(position)
        return self._content.seek(position, whence)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise IntegrityError(f"a header of the archive is longer than {_MAX_HEADER >> 20} MiB")
        self._check(self._content.tell() + size)
        return self._content.read(size)

    def _check(self, position: int) -> None:
        if position > _MAX_BYTES + _MAX_FILES * tarfile.BLOCKSIZE * 4:
            raise IntegrityError(f"the archive unpacks to more than {_MAX_BYTES >> 20} MiB")


def _members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield (name, size in bytes, open file) for each regular file in an archive; links are left out.

    A file can be read until the next one is yielded.
    """
    if not path.name.endswith((".whl", ".zip")):
        with path.open("rb") as file:
            start = file.read(5)
        opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), open)
        with (
            opener(path, "rb") as raw,
            tarfile.open(fileobj=cast("IO[bytes]", _Bounded(raw)), mode="r:") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield member.name, member.size, content
    else:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
                    with archive.open(info) as content:
                        yield info.filename, info.file_size, content
