"""Write the target's files and their byte code inside a sandbox, and change some of the files for a run.

Runs inside the sandbox. Nothing here executes a file of the target. The byte code of patched files comes from
the host (:mod:`.bounded`); that of the release is compiled here, in a child process, because a file can crash
the compiler.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Places", "byte_code", "change", "copy_changed", "write"]

_MAX_COMPILED = 1 << 19
"""The longest source that is compiled ahead, in bytes."""
_MAX_BYTE_CODE = 1 << 22
"""The longest byte code that is kept; a short source may have constants that fold to megabytes."""


class Places:
    """The paths of the folders in a sandbox, as attributes.

    - ``target``: the folder of the target's files. ``release``: the folder of the unpatched files.
    - ``requires``: a list of the folders with the target's dependencies.
    - ``layer``: the folder into which an isolated sandbox writes the overlay of a run.
    - ``scratch``: the working folder of a run.

    Arguments: ``isolated`` says that the sandbox has a file system of its own. ``root`` is a folder that is
    laid out like a virtual environment. ``requires`` is the number of folders with dependencies.
    """

    def __init__(self, *, isolated: bool, root: str, requires: int) -> None:
        self.isolated = isolated
        self.root = root
        library = f"{root}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
        self.target = f"{library}/site-packages"
        self.release = self.target
        self.layer = f"{root}/share"
        self.requires = [f"{library}/dist-packages/{number}" for number in range(requires)]
        self.scratch = "/tmp" if isolated else f"{root}/scratch"  # noqa: S108 - a tmpfs of this run alone

    def of_one_run(self) -> Places:
        """Return the paths for one run in a sandbox without isolation, and create its working folder.

        The folder of the run has this process's id in its path, so that runs do not share it.
        """
        own = Places(isolated=False, root=f"{self.root}/run-{os.getpid()}", requires=0)
        own.release = own.target = self.target
        own.requires = self.requires
        os.makedirs(own.scratch)
        return own


def write(place: str, files: Mapping[str, bytes]) -> None:
    """Write files and their .pyc files into an empty folder, whose path is ``place``.

    ``files`` maps relative paths to content. Nothing is executed. A file that :func:`byte_code` cannot
    compile gets no .pyc file. If the compiler crashes on a file, this file and all later files of ``files``
    get none.
    """
    for name, content in files.items():
        path = f"{place}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        for name, content in files.items():
            if name.endswith(".py") and (code := byte_code(content, name)):
                path = f"{place}/{_cached_name(name)}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(code)
    finally:
        os._exit(0)


def change(overlay: Iterable[Mapping[str, Any]], contents: Iterable[bytes]) -> dict[str, bytes | None]:
    """Return the new contents of the files that a run changes, and of their .pyc files, by relative path.

    A content of None stands for a deleted file. ``overlay`` has a dict for each changed file, with three
    keys. ``name`` is the path. ``content`` is True for a file with a new content, False for a deleted file.
    ``compiled`` is True for a Python file with a new .pyc file; if it is False, the old .pyc file is deleted.
    ``contents`` yields the contents of the new files, in the order of ``overlay``; each new .pyc file comes
    directly after its source.

    A deleted file is missing from the result in two cases. With ``a`` deleted and ``a/b`` new, ``a`` is
    missing, because it is a folder now. With ``a/b`` deleted and ``a`` new, ``a/b`` is missing, because ``a``
    is no folder any more.
    """
    files: dict[str, bytes | None] = {}
    blobs = iter(contents)
    for entry in overlay:
        name = entry["name"]
        files[name] = next(blobs) if entry["content"] else None
        if name.endswith(".py"):
            files[_cached_name(name)] = next(blobs) if entry["compiled"] else None
    there = {name for name, content in files.items() if content is not None}
    folders = {folder for name in there for folder in _folders(name)}
    return {
        name: content
        for name, content in files.items()
        if content is not None or not (name in folders or there.intersection(_folders(name)))
    }


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: at + 1]) for at in range(len(parts))]


def copy_changed(source: str, place: str, files: Mapping[str, bytes | None]) -> None:
    """Copy the folder ``source`` to ``place``, with some files changed.

    ``files`` maps relative paths to the content of changed and new files; a file with None is left out.
    ``place`` is created if it does not exist. Otherwise files of the same path in it are replaced, and other
    files stay.
    """
    shutil.copytree(source, place, dirs_exist_ok=True)
    for name, content in files.items():
        path = f"{place}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        for folder in _folders(name):
            if os.path.isfile(f"{place}/{folder}"):
                os.unlink(f"{place}/{folder}")
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(content)


def _cached_name(name: str) -> str:
    folder, _, base = name.rpartition("/")
    cached = f"__pycache__/{base.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{cached}" if folder else cached


def byte_code(content: bytes, name: str) -> bytes | None:
    """Return the .pyc file of a source as bytes; None if it is over 4 MiB or there is none.

    There is none if the source is over 512 KiB or does not compile.

    ``content`` is the source, ``name`` its file name in tracebacks. Python uses this .pyc file without a
    comparison with the source (PEP 552, unchecked).
    """
    if len(content) > _MAX_COMPILED:
        return None
    warnings.simplefilter("ignore")
    try:
        code = compile(content, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(content)
    made = head + marshal.dumps(code)
    return made if len(made) <= _MAX_BYTE_CODE else None
