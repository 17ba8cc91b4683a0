"""The mounts of one run, and the rights that its script loses.

A run gets mounts of its own, among them an overlay over the target's files. The script cannot undo the
mounts.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from crisol.sandbox import kernel, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["confiner", "overlay", "prepare_run", "uncover"]

_SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - each a tmpfs of one run alone
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LAYER_MB = 64
_LAST_PROCESS = 30_000
"""The largest first process number: below 32,768, the least ``pid_max`` of Linux, with room for a run."""


def prepare_run(scratch_mb: int, layer: str, target: str) -> None:
    """Give this process a random host name and mounts of its own, for one run.

    The process gets new ``/tmp`` and ``/dev/shm``, each of at most ``scratch_mb`` (MiB), a new ``/proc``, and
    a new folder at the path ``layer`` for changed files. ``target`` is the folder of the target's files. The
    process changes its working folder to ``target``, because :func:`uncover` later finds the original files
    by the working folder. Raises ``OSError`` if the kernel refuses.
    """
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS)
    socket.sethostname(f"{socket.gethostname().partition('-')[0]}-{os.urandom(3).hex()}")
    _start_processes_at(2 + int.from_bytes(os.urandom(4), "big") % _LAST_PROCESS)
    os.chdir(target)
    kernel.mount("tmpfs", layer, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"size={_LAYER_MB}m,mode=755")
    for place in _SCRATCH:
        kernel.mount(
            "tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _size(scratch_mb) + ",mode=1777"
        )
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    try:
        kernel.mount("proc", "/proc", "proc", flags, "subset=pid")
    except OSError:
        # In a container that masks parts of its /proc, no other can be mounted; scripts then have none.
        kernel.mount("tmpfs", "/proc", "tmpfs", flags | kernel.MS_RDONLY, "size=4k")


def _start_processes_at(number: int) -> None:
    with contextlib.suppress(OSError), open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(number))


def _size(scratch_mb: int) -> str:
    return f"size={scratch_mb}m,nr_inodes=16384"


def confiner(setup: dict[str, Any]) -> Callable[[], None]:
    """Return a function without arguments that takes rights away, for good, from the process that calls it.

    The returned function drops capabilities, sets up Landlock and installs a seccomp filter. ``setup`` has
    the keys ``filter`` (bytes, the result of :func:`crisol.sandbox.seccomp.script_filter`) and ``landlock``
    (the Landlock ABI version, 0 for none).
    """
    program, abi = setup["filter"], setup["landlock"]

    def confine() -> None:
        kernel.drop_capabilities()
        if abi:
            kernel.landlock(abi, list(_SCRATCH), list(_DEVICES))
        kernel.install_filter(program)

    return confine


def overlay(target: str, layer: str, files: Mapping[str, bytes | None]) -> None:
    """Change some files in the folder ``target``, for the processes of this mount namespace only.

    ``files`` maps relative paths to new content, None for a deleted file. The content is written to the
    folder ``layer``, and both folders become read-only. A mount over ``target`` shows the changed files;
    :func:`uncover` shows the original files again. Raises ``OSError`` if the kernel refuses.
    """
    try:
        folders = {layer}
        for name, content in files.items():
            _lay(f"{layer}/{name}", content, folders)
        if files:
            kernel.mount("overlay", target, "overlay", 0, f"lowerdir={layer}:{target},userxattr")
    except PermissionError:
        # Some kernels forbid overlayfs in user namespaces.
        _overlay_by_copy(target, layer, files)
    kernel.protect(layer, recursive=False)
    if files:
        kernel.protect(target, recursive=False)


def uncover(target: str) -> None:
    """Show the original files of the folder ``target`` again, after :func:`overlay` changed some.

    The working folder must still be the one that :func:`prepare_run` set. Raises ``OSError`` if the kernel
    refuses.
    """
    kernel.mount(".", target, flags=kernel.MS_BIND)


def _lay(path: str, content: bytes | None, folders: set[str]) -> None:
    folder = path.rpartition("/")[0]
    if folder not in folders:
        os.makedirs(folder, exist_ok=True)
        folders.add(folder)
    if content is None:
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))  # overlayfs: there is nothing here
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
    os.close(file)


def _overlay_by_copy(target: str, layer: str, files: Mapping[str, bytes | None]) -> None:
    kernel.mount("tmpfs", layer, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    tree.copy_changed(target, layer, files)
    kernel.mount(layer, target, flags=kernel.MS_BIND)
