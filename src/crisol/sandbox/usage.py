"""What a run uses of the machine, and how long it waits for it, as the kernel tells it. Runs inside."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["processor_seconds", "resident_pages", "sockets", "waited"]


def sockets() -> int:
    """Return the number of sockets in this network namespace, 0 where it cannot be read.

    The kernel counts the memory of their buffers for no process.
    """
    try:
        with open("/proc/self/net/sockstat", encoding="ascii") as file:
            return int(file.readline().split()[2])
    except (OSError, IndexError, ValueError):
        return 0


def processor_seconds(process: int) -> float:
    """Return the processor time of a process so far, in seconds; 0 where it cannot be read.

    ``process`` is a process id.
    """
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime(~process << 3 | 2)
    except OSError:
        return 0.0


def resident_pages(process: int) -> int:
    """Return the resident memory of a process, given by its id, in pages; 0 for a process that has ended."""
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
    """Return the seconds for which a process was ready to run while others had the processors; 0 if unknown.

    ``process`` is a process id.
    """
    try:
        with open(f"/proc/{process}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
