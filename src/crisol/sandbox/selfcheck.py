"""Check the sandbox on this machine: scripts try to escape from it, and none may succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisol.errors import SandboxError
from crisol.sandbox.records import Ending, Limits, Role, Script
from crisol.sandbox.source import TargetSource
from crisol.sandbox.target import Target

if TYPE_CHECKING:
    from crisol.sandbox.records import SandboxKind

__all__ = ["ATTEMPTS", "escapes"]

ATTEMPTS = {
    "reads the machine's secrets": "open('/etc/shadow').read()",
    "writes outside its scratch folder": "open('/usr/lib/crisol', 'w')",
    "reaches a network": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=0.2)",
    "makes namespaces": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "traces processes": "import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0",
    "signals its keeper": "import os, time\n"
    "os.kill(os.getppid(), 9)\n"
    "time.sleep(0.2)\n"
    "assert os.getppid() != 1",
}


def escapes(kind: SandboxKind) -> tuple[str, ...]:
    """Run the escape attempts :data:`ATTEMPTS` in a sandbox, and return the names of those that succeeded.

    ``kind`` is the kind of sandbox. The result is empty if the sandbox isolates. An attempt counts as failed
    only if it ends with an exception. If the sandbox does not start, all attempts count as succeeded. Raises
    :class:`~crisol.errors.SandboxUnavailable` if ``kind`` isolates and the machine is neither x86-64 nor
    AArch64.
    """
    target = Target(kind, TargetSource({}, (), (), ""), Limits(seconds=5.0, cpu_seconds=2.0))
    try:
        return tuple(name for name, source in ATTEMPTS.items() if not _refused(target, source))
    finally:
        target.close()


def _refused(target: Target, source: str) -> bool:
    try:
        return target.run(Script("escape.py", source, Role.CHECK)).ending is Ending.RAISED
    except SandboxError:
        return False
