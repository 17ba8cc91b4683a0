"""A workspace: the folder in which a user works, of the same form as the repository.

::

    notebooks/  experiments/  data/vulnerabilities/  data/examples/  mlruns/

:func:`make` copies the files from the installed package or, in a checkout, from the repository.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crisol.config import Settings
from crisol.errors import CannotCreate

__all__ = ["Leftover", "leftovers", "make", "remove"]

_PACKAGE = Path(__file__).parents[1]
_CARRIED = _PACKAGE / "workspace"
_SOURCE = _CARRIED if _CARRIED.is_dir() else _PACKAGE.parents[1]

_PARTS = (
    "notebooks/*.py",
    "notebooks/*.ipynb",
    "experiments/*.yaml",
    "experiments/schema.json",
    "data/examples/**/*",
    "data/vulnerabilities/arena/**/*",
)
_IGNORED = "data/cache/\nmlruns/\n__pycache__/\n.ipynb_checkpoints/\n"


def make(folder: Path) -> list[Path]:
    """Copy notebooks, experiments, examples and arena programs into a folder; return the files that are new.

    The folder is made if it is missing; it also gets a folder ``mlruns`` and a file ``.gitignore``. A file
    that exists is not changed. Raises :class:`~crisol.errors.CannotCreate` where a file cannot be written.
    """
    files = [
        path
        for part in _PARTS
        for path in sorted(_SOURCE.glob(part))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    new = []
    try:
        for path in files:
            target = folder / path.relative_to(_SOURCE)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                new.append(target)
        (folder / "mlruns").mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text(_IGNORED, encoding="utf-8")
            new.append(ignore)
    except OSError as error:
        raise CannotCreate(f"{error.filename or folder}: {error.strerror}") from None
    return new


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder in the cache folder that :func:`leftovers` offers for deletion.

    ``what`` is a phrase on its content. ``again`` is a phrase on how Crisol makes it again, such as ``the
    next crisol demo``. If Crisol does not know the file, ``what`` is ``other`` and ``again`` is ``unknown``:
    Crisol cannot make it again. ``size`` is in bytes.
    """

    path: Path
    what: str
    size: int
    again: str


_KINDS = {
    "judged": ("verdicts of the corpus", "half an hour for the whole corpus: crisol corpus build"),
    "tables": ("tables of demo runs", "the next crisol demo"),
    "triage": ("verdicts of triages", "the wargames of the next crisol triage"),
    "ways": ("traces of exploits", "a traced run of each exploit"),
    "models": ("models of load tests", "seconds of the next load test"),
    "releases": ("downloaded releases", "a download from the package index"),
}


def leftovers(settings: Settings, *, releases: bool = False) -> Iterator[Leftover]:
    """Yield the files and folders in the cache folder that can be deleted, sorted by path.

    With ``releases`` the folder of downloaded releases is among them. Files and folders that Crisol does not
    know are yielded, too, see :class:`Leftover`. Nothing is yielded if the cache folder does not exist.
    """
    if not settings.cache.is_dir():
        return
    for path in sorted(settings.cache.iterdir()):
        if path.name == "releases" and not releases:
            continue
        kind = ("corpus table", "crisol corpus build") if path.suffix == ".parquet" else ("other", "unknown")
        what, again = _KINDS.get(path.name, kind)
        yield Leftover(path, what, _size(path), again)


def remove(leftover: Leftover) -> None:
    """Delete the file or folder ``leftover.path`` of the cache folder.

    Of a symbolic link only the link is deleted, not the file to which it points. Raises
    :class:`~crisol.errors.CannotCreate` if the deletion fails.
    """
    try:
        if leftover.path.is_dir() and not leftover.path.is_symlink():
            shutil.rmtree(leftover.path)
        else:
            leftover.path.unlink()
    except OSError as error:
        raise CannotCreate(f"{error.filename}: {error.strerror}") from None


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
