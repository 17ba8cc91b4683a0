"""A container of this machine's own files, described as engines describe one to runc."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["bundle"]

_MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware")
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def bundle(folder: Path, profile: Path, shown: tuple[Path, ...], command: list[str]) -> None:
    """Write the bundle of a container that runs ``command`` as the user 10001, without any capability.

    Like what Docker makes of ``cap_drop: [ALL]``, ``no-new-privileges`` and that seccomp profile; ``shown``
    is there, read-only, beside the system's and the interpreter's files.
    """
    paths = {Path(name) for name in ("/usr", "/etc", sys.prefix, sys.base_prefix)} | set(shown)
    bound = [_mount(str(path), "bind", str(path), "rbind", "ro") for path in sorted(paths)]
    (root := folder / "rootfs").mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if (place := Path("/", name)).is_symlink():
            (root / name).symlink_to(place.readlink())
        elif place.is_dir():
            bound.append(_mount(str(place), "bind", str(place), "rbind", "ro"))
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 10001, "gid": 10001},
            "args": command,
            "env": ["PATH=/usr/bin:/bin", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"],
            "cwd": "/",
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable")},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "mounts": [
            _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
            _mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),
            _mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),
            *bound,
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "seccomp": json.loads(profile.read_text()),
        },
    }
    (folder / "config.json").write_text(json.dumps(config))


def _mount(place: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": source, "options": options}
