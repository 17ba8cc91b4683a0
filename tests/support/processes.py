"""What tests need to know of processes that others started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from crisol.servers.postgres import alive
from crisol.servers.reaper import family


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below ``pid`` that are alive, with their command lines."""
    commands = {}
    for descendant in family(pid)[1:]:
        with contextlib.suppress(OSError):
            commands[descendant] = (
                Path(f"/proc/{descendant}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            )
    return commands


def are_gone(pids: Iterable[int], seconds: float = 30.0) -> bool:
    """Return whether all have ended within a while; zombies have ended."""
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
