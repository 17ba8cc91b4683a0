"""The files of a sandbox, read into memory before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crisol.errors import InputError
from crisol.sandbox.learning import Learned

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TargetSource"]


@dataclass(frozen=True, slots=True)
class TargetSource:
    """The files of a sandbox, read into memory, and the code to load before the first run.

    ``tree`` maps the relative paths of the target's files to their content; ``requires`` has one mapping of
    this form for each dependency. ``preload`` names modules that are imported before the first run,
    ``prelude`` is trusted Python source that is executed before these imports. ``learned`` names the modules
    that the scripts import and the regular expressions that these modules compile; both are loaded before the
    first run, too.
    """

    tree: dict[str, bytes]
    requires: tuple[dict[str, bytes], ...]
    preload: tuple[str, ...]
    prelude: str
    learned: Learned = field(default_factory=Learned)

    @classmethod
    def read(cls, tree: Path, requires: Sequence[Path], preload: Sequence[str], prelude: str) -> TargetSource:
        """Read the files of the folders ``tree`` and ``requires``, and return them in a new object.

        Links, special files and byte code are left out. ``preload`` and ``prelude`` become the fields with
        these names; ``learned`` is empty. Raises :class:`~crisol.errors.InputError` if a path is no folder.
        """
        for folder in (tree, *requires):
            if not folder.is_dir():
                raise InputError(f"the sandbox's source {folder} is not a folder")
        return cls(_files(tree), tuple(_files(folder) for folder in requires), tuple(preload), prelude)


def _files(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink() and path.suffix != ".pyc":
                files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files
