"""Read and write ``mlruns/champion.json``, the file that names the champion's model folder.

Prediction and service read this file instead of MLflow's registry, so they do not need MLflow. The registry
holds every version and its aliases. The file holds the path of the champion's folder relative to ``mlruns``,
so that the whole store can be moved. :func:`crisol.tracking.models.move_alias` writes both.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from crisol.errors import ModelError, StoreError

if TYPE_CHECKING:
    from crisol.config import Settings

__all__ = ["CHALLENGER", "CHAMPION", "MODEL", "SCHEME", "champion_folder", "local_folder", "point_to"]

MODEL = "patch-validity"
CHAMPION = "champion"
CHALLENGER = "challenger"

SCHEME = "crisol"
"""The scheme of artifact addresses that are relative to ``mlruns``, see :mod:`crisol.tracking.address`."""

_FILE = "champion.json"


def local_folder(address: str, runs: Path) -> Path:
    """Return the path on this machine to which the address of a run's artifacts refers.

    ``address`` is a path, a ``file:`` URL, or ``crisol:/PATH`` for the folder ``artifacts/PATH`` below
    ``runs``. Whether the folder exists is not checked. The address of an MLflow server raises no error, but
    gives a path that means nothing.
    """
    parts = urlsplit(address)
    if parts.scheme == SCHEME:
        return runs.resolve() / "artifacts" / unquote(parts.path).lstrip("/")
    # A plain path is no URL, so it may contain # and ?. MLflow decodes %20 in it nevertheless.
    return Path(url2pathname(parts.path if parts.scheme == "file" else address))


def champion_folder(settings: Settings) -> Path:
    """Return the model folder of the champion, as the file ``mlruns/champion.json`` names it.

    Raises :class:`~crisol.errors.StoreError` if there is no champion yet, and
    :class:`~crisol.errors.ModelError` if the file cannot be read or names no folder.
    """
    path = settings.runs / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        folder = settings.runs / str(content["folder"])
        is_folder = folder.is_dir()
    except FileNotFoundError:
        raise StoreError(
            f"no {MODEL}@{CHAMPION} yet; `make run` or `crisol promote VARIANT` makes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read: {error!r}; promote a model anew") from None
    if not is_folder:
        raise ModelError(f"{path}: names {folder}, which is no folder; promote a model anew")
    return folder


def point_to(settings: Settings, folder: Path, version: str) -> None:
    """Record a model folder and its version number as the champion's, in ``mlruns/champion.json``.

    A ``folder`` below ``mlruns`` is recorded relative to it, any other one by its absolute path. The file is
    replaced as a whole. Raises :class:`~crisol.errors.StoreError` if it cannot be written.
    """
    path = settings.runs / _FILE
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    runs = settings.runs.resolve()
    place = folder.resolve()
    content = {
        "folder": str(place.relative_to(runs) if place.is_relative_to(runs) else place),
        "version": version,
    }
    try:
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}") from None
