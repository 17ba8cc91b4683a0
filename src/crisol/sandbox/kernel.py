"""Linux system calls that the standard library lacks, through ctypes: namespaces, mounts, Landlock.

The module also runs inside the sandbox, without the rest of the package. A function whose system call fails
raises ``OSError``, like the functions of :mod:`os`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import re
import socket
import struct

__all__ = [
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "bring_up_loopback",
    "drop_bounding_set",
    "drop_capabilities",
    "install_filter",
    "landlock",
    "landlock_abi",
    "mount",
    "no_new_privileges",
    "one_arena",
    "pivot_root",
    "protect",
    "set_dumpable",
    "setns",
    "trim_memory",
    "unmount",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
_CAPABILITY_VERSION = 0x20080522
_M_ARENA_MAX = -8
_TCP_BUFFER = "4096 65536 131072"

_CALLS = {
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}.get(platform.machine(), {})
_MOUNT_SETATTR = 442
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Move this process into new namespaces.

    ``flags`` are the kinds of namespaces, ``CLONE_NEW*``; see unshare(2). Raises ``OSError``.
    """
    _checked(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(descriptor: int, flags: int) -> None:
    """Move this process into the namespaces of another process.

    ``descriptor`` is a pidfd of that process; ``flags`` are the kinds of namespaces, ``CLONE_NEW*``; see
    setns(2). Raises ``OSError`` if the kernel refuses.
    """
    _checked(_libc.setns(descriptor, flags), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount the file system ``source`` at the path ``target``.

    ``kind`` is the type of the file system, such as ``tmpfs``; ``flags`` are ``MS_*``, and ``data`` holds the
    options of that type, such as ``size=4k``; see mount(2). An empty string is passed as NULL. Raises
    ``OSError``.
    """
    words = [word.encode() if word else None for word in (source, target, kind)]
    _checked(
        _libc.mount(*words, flags, data.encode() if data else None), f"mount {kind or source} on {target}"
    )


def protect(target: str, *, recursive: bool) -> None:
    """Make the mount at the path ``target`` read-only, nosuid and nodev.

    ``recursive`` includes the mounts below it. Raises ``OSError`` if the kernel refuses.
    """
    attributes = struct.pack("=QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    result = _libc.syscall(_MOUNT_SETATTR, -100, target.encode(), 0x8000 if recursive else 0, attributes, 32)
    if result == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        _checked(result, f"protect {target}")
    # Before Linux 5.12: one mount at a time, and flags that the outer mount carries must be repeated.
    for place in _mounts(target) if recursive else [target]:
        kept = os.statvfs(place).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | 1024 | 2048)
        mount("", place, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | kept)


def _mounts(target: str) -> list[str]:
    """Return the paths of the mount ``target`` and of the mounts below it, see proc_pid_mountinfo(5)."""
    top = os.path.realpath(target)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        names = [line.split(" ")[4] for line in file]
    # A space, tab, line feed or backslash is written as an octal number.
    places = [re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), name) for name in names]
    return [top, *(place for place in places if place.startswith(f"{top}/"))]


def unmount(target: str) -> None:
    """Unmount the file system at the path ``target``; files that are open stay usable (MNT_DETACH).

    Raises ``OSError``.
    """
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make the path ``new`` the root of this mount namespace, and move the present root to ``old``.

    See pivot_root(2). Raises ``OSError`` if the kernel refuses.
    """
    _checked(_libc.syscall(_CALLS["pivot_root"], new.encode(), old.encode()), "pivot_root")


def no_new_privileges() -> None:
    """Set PR_SET_NO_NEW_PRIVS: programs that this process starts gain no rights by being setuid.

    See prctl(2). Raises ``OSError``.
    """
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, None, 0, 0), "no_new_privs")


def set_dumpable(*, value: bool) -> None:
    """Allow (True) or forbid (False) other processes of this user to read this process's memory.

    The setting also covers reading this process's files in ``/proc``, such as ``/proc/PID/mem``; see
    PR_SET_DUMPABLE in prctl(2). Raises ``OSError``.
    """
    _checked(_libc.prctl(_PR_SET_DUMPABLE, int(value), None, 0, 0), "dumpable")


def drop_bounding_set() -> None:
    """Empty the capability bounding set of this process, see capabilities(7).

    Programs that this process starts then get no capability; the process keeps its own. Raises ``OSError``.
    """
    number = 0
    while _libc.prctl(_PR_CAPBSET_DROP, number, None, 0, 0) == 0:
        number += 1


def drop_capabilities() -> None:
    """Give up every capability of this process for good, see capabilities(7).

    Raises ``OSError`` if the kernel refuses.
    """
    head = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _checked(_libc.syscall(_CALLS["capset"], head, bytes(24)), "capset")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter for this process and its children, see seccomp(2).

    ``program`` is an array of ``struct sock_filter``, as bytes. Raises ``OSError``.
    """
    instructions = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions)), struct.calcsize("@HP")
    )
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(head), 0, 0), "seccomp")


def landlock_abi() -> int:
    """Return the kernel's Landlock ABI version; 0 if the kernel has no Landlock."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)))


def landlock(abi: int, writable: list[str], devices: list[str]) -> None:
    """Restrict this process by Landlock: it may write only below some folders and to some devices.

    ``writable`` are paths of folders, ``devices`` paths of device files. Reading and executing stay allowed.
    ``abi`` is the result of :func:`landlock_abi`, at least 1. If it is 6 or more, two more things are
    forbidden: to send a signal to a process that is neither this one nor its descendant, and to connect to an
    abstract Unix socket of such a process. Raises ``OSError`` if a path is missing or the kernel refuses.
    """
    execute, write, read, list_ = 1, 2, 4, 8
    truncate = 1 << 14 if abi >= 3 else 0
    everything = (1 << 13) - 1 | (1 << 13 if abi >= 2 else 0) | truncate
    attributes = struct.pack("=QQQ", everything, 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 8
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE, attributes, size, 0), "landlock")
    rules = [("/", execute | read | list_)]
    rules += [(path, everything) for path in writable]
    rules += [(path, read | write | truncate) for path in devices]
    try:
        for path, access in rules:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("=Qi", access, place)
                _checked(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock rule for {path}")
            finally:
                os.close(place)
        _checked(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock restrict")
    finally:
        os.close(ruleset)


def bring_up_loopback() -> None:
    """Bring up the interface ``lo`` of this network namespace.

    If the kernel permits it, the function also makes TCP buffers small, and lets closed connections end
    without waiting in TIME_WAIT. Raises ``OSError`` if the interface cannot be brought up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack("16sH22x", fcntl.ioctl(probe, 0x8913, request))[1]
        fcntl.ioctl(probe, 0x8914, struct.pack("16sH22x", b"lo", flags | 1))
    for knob, value in (("tcp_max_tw_buckets", "0"), ("tcp_rmem", _TCP_BUFFER), ("tcp_wmem", _TCP_BUFFER)):
        try:
            with open(f"/proc/sys/net/ipv4/{knob}", "w", encoding="ascii") as file:
                file.write(value)
        except OSError:
            return


def one_arena() -> None:
    """Limit glibc's malloc to one arena; does nothing with another C library.

    Each arena counts against the limit on the address space of a process.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 1)


def trim_memory() -> None:
    """Return freed memory to the kernel by glibc's ``malloc_trim``; does nothing with another C library."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
