"""Runs a program as a container engine would run the service: an ordinary user, under a seccomp profile.

``python confined.py PROFILE PROGRAM ARGUMENTS…`` loads the profile with libseccomp, which is what engines do,
after taking a user namespace in which this process is nobody's root. The programs' own capabilities end with
``exec``.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

_NEW_USER = 0x10000000
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CALLABLE = ("keyctl", "ptrace", "process_vm_readv", "io_uring_setup", "userfaultfd", "fsopen", "open_tree")
"""What any user may call where no profile forbids it."""


def main(profile: str, *command: str) -> None:
    """Confine this process, see that the profile is in force, and become the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_NEW_USER):
        sys.exit(f"no user namespaces: {os.strerror(ctypes.get_errno())}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - one line is enough
            file.write(text)
    number = load(profile)
    for name in _CALLABLE:
        ctypes.set_errno(0)
        if libc.syscall(number(name.encode()), 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:
            sys.exit(f"{name} is not refused")
    os.execv(command[0], command)


def load(profile: str) -> ctypes._NamedFuncPointer:
    """Load a profile.

    Return what tells a call's number. Exits where it names what libseccomp does not know.
    """
    with open(profile, encoding="utf-8") as file:  # noqa: PTH123 - see above
        content = json.load(file)
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_ALLOW))
    for name in content["architectures"]:
        token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
        # Which the process's own architecture is, it has already; then it answers -EEXIST.
        if token == 0 or library.seccomp_arch_add(context, token) not in {0, -17}:
            sys.exit(f"{name} is no architecture")
    for rule in content["syscalls"]:
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1 or library.seccomp_rule_add(context, _ERRNO | rule["errnoRet"], number, 0):
                sys.exit(f"{name} is no system call")
    if library.seccomp_load(context):
        sys.exit("the kernel does not take the profile")
    return library.seccomp_syscall_resolve_name


if __name__ == "__main__":
    main(*sys.argv[1:])
