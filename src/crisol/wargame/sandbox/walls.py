"""The inner walls, new for every run: its mounts, its overlay over the tree, and no way back for its script."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from crisol.wargame.sandbox import kernel, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["confiner", "overlay", "prepare_run"]

_SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - each a tmpfs of one run alone
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LAYER_MB = 64


def prepare_run(scratch_mb: int) -> None:
    """Give this process mounts of its own: empty scratch folders and a /proc of its process namespace alone."""
    kernel.unshare(kernel.CLONE_NEWNS)
    for place in _SCRATCH:
        kernel.mount(
            "tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _size(scratch_mb) + ",mode=1777"
        )
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    try:
        kernel.mount("proc", "/proc", "proc", flags, "subset=pid")
    except OSError:
        # A container that masks parts of its own /proc forbids another one; scripts do without any.
        kernel.mount("tmpfs", "/proc", "tmpfs", flags | kernel.MS_RDONLY, "size=4k")


def _size(scratch_mb: int) -> str:
    return f"size={scratch_mb}m,nr_inodes=16384"


def confiner(setup: dict[str, Any]) -> Callable[[], None]:
    """Return what makes the calling process powerless, for good: capabilities, Landlock, system calls."""
    program, abi = setup["filter"], setup["landlock"]

    def confine() -> None:
        kernel.drop_capabilities()
        if abi:
            kernel.landlock(abi, list(_SCRATCH), list(_DEVICES))
        kernel.install_filter(program)

    return confine


def overlay(target: str, layer: str, files: Mapping[str, bytes | None]) -> None:
    """Show ``target`` with some files changed, added or (None) deleted, read-only, in this mount namespace."""
    kernel.mount("tmpfs", layer, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, f"size={_LAYER_MB}m,mode=755")
    try:
        try:
            for name, content in files.items():
                _lay(f"{layer}/{name}", content)
            kernel.mount("overlay", target, "overlay", 0, f"lowerdir={layer}:{target},userxattr")
        finally:
            kernel.unmount(layer)
    except PermissionError:
        _copied(target, layer, files)
    kernel.protect(target, recursive=False)


def _lay(path: str, content: bytes | None) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if content is None:
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))  # overlayfs: there is nothing here
        return
    with open(path, "xb") as file:
        file.write(content)


def _copied(target: str, layer: str, files: Mapping[str, bytes | None]) -> None:
    """Do without overlayfs, which old kernels keep from user namespaces."""
    kernel.mount("tmpfs", layer, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    tree.copy_changed(target, layer, files)
    kernel.mount(layer, target, flags=kernel.MS_BIND)
