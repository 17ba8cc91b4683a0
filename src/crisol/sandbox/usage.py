"""Read from the kernel the memory, CPU time and waiting time of a run, and whether other processes remain."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["going_on", "processor_seconds", "resident_pages", "sockets", "waited"]


def going_on(process: int) -> list[str]:
    """Return ["other processes"] if a run has processes besides its first one, else an empty list.

    Call it in process 1 of the run's process namespace, which does not count. ``process`` is the id of the
    run's first process. Zombies do not count either. The result is empty if ``/proc`` cannot be read. The
    caller adds the result to ``Run.changed``, the changes that the run made.
    """
    try:
        others = [name for name in os.listdir("/proc") if name.isdigit() and name not in {"1", str(process)}]
    except OSError:
        return []
    return ["other processes"] if any(map(_alive, others)) else []


def _alive(process: str) -> bool:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except (OSError, IndexError):
        return False


def sockets() -> int:
    """Return the number of sockets in this network namespace; 0 if the number cannot be read.

    A run needs a limit on this number, since the memory limit of a process does not count socket buffers.
    """
    try:
        with open("/proc/self/net/sockstat", encoding="ascii") as file:
            return int(file.readline().split()[2])
    except (OSError, IndexError, ValueError):
        return 0


def processor_seconds(process: int) -> float:
    """Return the CPU time that a process has used, in seconds; 0 if it cannot be read.

    ``process`` is a process id.
    """
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime(~process << 3 | 2)
    except OSError:
        return 0.0


def resident_pages(process: int) -> int:
    """Return the resident memory of a process in pages; 0 if the process has ended.

    ``process`` is a process id.
    """
    try:
        file = os.open(f"/proc/{process}/statm", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(file, 256).split()[1])
    except (OSError, IndexError):
        return 0
    finally:
        os.close(file)


def waited(process: int) -> float:
    """Return for how many seconds a process was ready to run but had no CPU; 0 if it cannot be read.

    ``process`` is a process id.
    """
    try:
        with open(f"/proc/{process}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
