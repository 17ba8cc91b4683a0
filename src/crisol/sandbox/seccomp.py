"""The seccomp filters of a sandbox, which forbid system calls (x86-64 and AArch64).

They are deny lists, in addition to namespaces and an empty capability set. They forbid system calls through
which a bug of the kernel could be exploited, and those by which a run could store data that the next run can
read (System V memory, message queues, key rings). Numbers are those of the kernel's tables ``syscall_64.tbl``
and ``asm-generic/unistd.h``.
"""

from __future__ import annotations

import errno
import platform
import struct

from crisol.errors import SandboxUnavailable

__all__ = ["keeper_filter", "script_filter"]

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080
_SOCKET_FAMILIES = (1, 2, 10)
"""The allowed socket families: AF_UNIX, AF_INET, AF_INET6."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_PR_SET_DUMPABLE = 4

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}

_NEVER: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "vhangup": (153, 58),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "personality": (135, 92),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmctl": (31, 195),
    "shmat": (30, 196),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
_KEEPER_ONLY: dict[str, tuple[int, int]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
_X86_ONLY = (154, 172, 173, 134)
"""modify_ldt, iopl, ioperm, uselib."""
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_SETSOCKOPT = (54, 208)
_BUFFER_SIZES = (7, 8, 32, 33)
"""SO_SNDBUF, SO_RCVBUF and their FORCE forms, of level SOL_SOCKET."""
_IOCTL, _PRCTL, _MEMFD = (16, 29), (157, 167), (319, 279)

_Step = tuple[int, int, int, int]


def keeper_filter() -> bytes:
    """Return the seccomp filter for the keeper, as bytes for :func:`~crisol.sandbox.kernel.install_filter`.

    The filter allows mounts and new namespaces, which the filter for scripts forbids. Raises
    :class:`~crisol.errors.SandboxUnavailable` on a machine that is neither x86-64 nor AArch64.
    """
    return _assemble(_NEVER, [])


def script_filter() -> bytes:
    """Return the seccomp filter for a script, as bytes for :func:`~crisol.sandbox.kernel.install_filter`.

    The filter forbids mounts, new namespaces, most kinds of sockets, large socket buffers, and
    ``memfd_create``, whose memory no limit counts. Raises :class:`~crisol.errors.SandboxUnavailable` on a
    machine that is neither x86-64 nor AArch64.
    """
    column = _column()
    refused, missing = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    steps: list[_Step] = []
    for number in (_CLONE3[column], _MEMFD[column]):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, missing)]
    steps += [
        (_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 6, _SOCKET[column]),
        (_LOAD, 0, 0, _ARGUMENT),
        *((_EQUAL, 3 - index, 0, family) for index, family in enumerate(_SOCKET_FAMILIES)),
        (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
        # No limit counts the kernel memory of sockets, so they keep their default size; a request for more
        # returns success without effect.
        (_EQUAL, 0, len(_BUFFER_SIZES) + 5, _SETSOCKOPT[column]),
        (_LOAD, 0, 0, _ARGUMENT + 8),
        (_EQUAL, 0, len(_BUFFER_SIZES) + 1, 1),
        (_LOAD, 0, 0, _ARGUMENT + 16),
        *((_EQUAL, len(_BUFFER_SIZES) - index, 0, name) for index, name in enumerate(_BUFFER_SIZES)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO),
        (_EQUAL, 0, 5, _IOCTL[column]),
        (_LOAD, 0, 0, _ARGUMENT + 8),
        (_EQUAL, 1, 0, _TIOCSTI),
        (_EQUAL, 0, 1, _TIOCLINUX),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 4, _PRCTL[column]),
        (_LOAD, 0, 0, _ARGUMENT),
        (_EQUAL, 0, 1, _PR_SET_DUMPABLE),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return _assemble(_KEEPER_ONLY, steps)


def _column() -> int:
    machine = platform.machine()
    if machine not in _COLUMN:
        raise SandboxUnavailable(f"no system call filter is known for {machine}; x86_64 and aarch64 have one")
    return _COLUMN[machine]


def _assemble(denied: dict[str, tuple[int, int]], more: list[_Step]) -> bytes:
    """Return a seccomp filter that refuses the calls ``denied`` with EPERM and allows the others, as bytes.

    ``denied`` maps names of system calls to their numbers on (x86-64, AArch64). ``more`` are instructions for
    the other calls; they begin with the number of the call in the accumulator.
    """
    column = _column()
    numbers = [pair[column] for pair in denied.values()]
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT[platform.machine()]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
        numbers += _X86_ONLY
    for number in numbers:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    steps += [*more, (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
