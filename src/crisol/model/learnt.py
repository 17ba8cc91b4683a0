"""The identities of the patches that a model was trained on, stored in the model's folder.

Correct predictions on these patches say nothing of other patches.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crisol.diff import parse
from crisol.errors import DiffError, ModelError
from crisol.records import LabelledPatch

__all__ = ["load_learnt", "save_learnt"]

_FILE = "learnt.txt"


def save_learnt(patches: Iterable[LabelledPatch], folder: Path) -> None:
    """Write the identities of a model's training patches into the model's folder, as ``learnt.txt``.

    A patch that :func:`crisol.diff.parse` refuses is left out. Raises OSError where the folder does not exist
    or the file cannot be written.
    """
    identities = set()
    for patch in patches:
        try:
            identities.add(parse(patch.diff).identity)
        except DiffError:  # of a set that was labelled elsewhere; no service gets such a text to its model
            continue
    (folder / _FILE).write_text("".join(f"{identity}\n" for identity in sorted(identities)), encoding="ascii")


def load_learnt(folder: Path) -> frozenset[str]:
    """Return the identities of the patches on which the model in ``folder`` was trained.

    The set is empty where the folder has no file ``learnt.txt``. Raises :class:`~crisol.errors.ModelError`
    where the file cannot be read.
    """
    path = folder / _FILE
    try:
        return frozenset(path.read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
