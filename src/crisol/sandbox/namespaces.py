"""The namespaces and the file system of a sandbox, made by system calls of the process that enters them.

Runs in the sandbox's process, before any untrusted code. Without bubblewrap, the process calls :func:`enter`,
which builds the file system of a :class:`~.layout.Layout`. Under bubblewrap, which builds the same file
system itself, the process calls :func:`enter_wrapped` to complete it. In both cases the process calls
:func:`become_nobody` afterwards.
"""

from __future__ import annotations

import os
from typing import Any

from crisol.sandbox import kernel

__all__ = ["OLD_PROC", "become_nobody", "enter", "enter_wrapped"]

OLD_PROC = "/oldproc"
"""The path at which bubblewrap mounts the machine's /proc until the sandbox has its own."""
_NOBODY = 65534
_STAGING = "/tmp"  # noqa: S108 - a mount point that every system has; nothing is written to it
_SPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


def enter(plan: dict[str, Any], user: int) -> None:
    """Move into new namespaces with a file system of their own, and continue there in a child process.

    The function returns only in the child, which is process 1 of its process namespace. The calling process
    waits for the child to end and then ends with the same exit code. ``plan`` is the file system: the result
    of :meth:`crisol.sandbox.layout.Layout.plain`. ``user`` is the uid that the child has in its new user
    namespace. If the calling process is root, and the kernel makes the other namespaces without a user
    namespace, none is made: the child stays root, and ``user`` is not used. Raises ``OSError`` if the kernel
    refuses.
    """
    _unshare(user)
    _continue_in_child()
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _STAGING, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    for source, place in plan["binds"]:
        _bind(source, _STAGING + place)
    for place in plan["hidden"]:
        if os.path.isdir(_STAGING + place):
            kernel.mount("tmpfs", _STAGING + place, "tmpfs", kernel.MS_RDONLY, "mode=755,size=4k")
    for text, place in plan["links"]:
        os.makedirs(os.path.dirname(_STAGING + place), exist_ok=True)
        os.symlink(text, _STAGING + place)
    for place, text in plan["files"].items():
        os.makedirs(os.path.dirname(_STAGING + place), exist_ok=True)
        with open(_STAGING + place, "w", encoding="utf-8") as file:
            file.write(text)
    for place in plan["folders"]:
        os.makedirs(_STAGING + place, exist_ok=True)
    for name in plan["devices"]:
        with open(_STAGING + name, "w", encoding="ascii"):
            pass
        kernel.mount(name, _STAGING + name, flags=kernel.MS_BIND)
    _mount_proc(_STAGING + "/proc")
    os.mkdir(_STAGING + "/old")
    os.chdir(_STAGING)
    kernel.pivot_root(".", "old")
    os.chdir("/")
    kernel.bring_up_loopback()
    kernel.unmount("/old")
    os.rmdir("/old")


def enter_wrapped() -> None:
    """Complete the namespaces that bubblewrap made: mount a new ``/proc`` and bring up the interface ``lo``.

    Raises ``OSError`` if the kernel refuses.
    """
    _mount_proc("/proc")
    kernel.unmount(OLD_PROC)
    os.rmdir(OLD_PROC)
    kernel.bring_up_loopback()


def _mount_proc(place: str) -> None:
    try:
        kernel.mount("proc", place, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except PermissionError:
        # A container that masks parts of /proc forbids the mount in a user namespace: go without.
        if os.getuid() == 0:
            raise


def _unshare(user: int) -> None:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        try:
            kernel.unshare(_SPACES)  # root may need no user namespace
        except PermissionError:
            pass
        else:
            return
    kernel.unshare(_SPACES | kernel.CLONE_NEWUSER)
    _map(user, uid, gid)


def _map(user: int, uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {uid} 1"),
        ("gid_map", f"{user} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def become_nobody(user: int) -> None:
    """Give up root: continue in a child process that has the uid ``user`` in a new user namespace.

    If the calling process is not root's, the function does nothing. Otherwise it returns only in the child;
    the calling process waits for the child and ends with its exit code. Root must be given up because limits
    on the number of processes do not bind it. In the new namespace the child may still mount file systems.
    Raises ``OSError`` if the kernel refuses.
    """
    if os.getuid() != 0:
        return
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    kernel.set_dumpable(value=True)
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID)
    _map(user, _NOBODY, _NOBODY)
    _continue_in_child()


def _continue_in_child() -> None:
    """Fork, and return only in the child; the parent waits for the child and ends with its exit code.

    After ``unshare`` with ``CLONE_NEWPID``, only a child is in the new process namespace.
    """
    child = os.fork()
    if child:
        os.closerange(3, 256)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def _bind(source: str, place: str) -> None:
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="ascii"):
            pass
    kernel.mount(source, place, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.protect(place, recursive=True)
