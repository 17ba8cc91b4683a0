"""What a run uses of the machine beside processor time, as /proc tells it. Runs inside."""

from __future__ import annotations

import os

__all__ = ["resident_pages", "sockets"]


def sockets() -> int:
    """Return the number of sockets in this network namespace, 0 where it cannot be read.

    Their buffers are kernel memory, which counts for no process.
    """
    try:
        with open("/proc/self/net/sockstat", encoding="ascii") as file:
            return int(file.readline().split()[2])
    except (OSError, IndexError, ValueError):
        return 0


def resident_pages(process: int) -> int:
    """Return the resident memory of a process in pages; 0 for one that has ended."""
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
