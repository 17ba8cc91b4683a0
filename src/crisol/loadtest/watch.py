"""Sample the CPU time and memory of a service's processes from outside, while it is under load."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

import pandas as pd

from crisol.servers.reaper import family

__all__ = ["ProcessWatch", "busy_seconds"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessWatch:
    """A watch that measures the CPU time and memory of a process and its descendants, on Linux alone.

    ``pid`` is the id of the process; ``seconds`` is the time between two measurements. Use the watch as a
    context manager: it measures in a thread while its block runs. :meth:`table` then returns the
    measurements.
    """

    def __init__(self, pid: int, seconds: float = 0.25) -> None:
        self._pid = pid
        self._seconds = seconds
        self._rows: list[tuple[float, float, float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._spent: dict[int, float] = {}
        self._total = 0.0

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def table(self) -> pd.DataFrame:
        """Return a table with a row for each interval between two samples.

        The columns are ``time`` (end of the interval, in seconds of the monotonic clock), ``cores`` (cores
        that the processes kept busy), ``memory_mb`` (their resident memory in MiB) and ``other_cores`` (cores
        that all other processes of the machine kept busy).
        """
        frame = pd.DataFrame(self._rows, columns=["time", "cpu", "memory_mb", "machine"])
        frame["cores"] = frame["cpu"].diff() / frame["time"].diff()
        frame["other_cores"] = (frame["machine"].diff() / frame["time"].diff() - frame["cores"]).clip(lower=0)
        return frame[["time", "cores", "memory_mb", "other_cores"]].iloc[1:].reset_index(drop=True)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._sample()

    def _sample(self) -> None:
        memory = 0.0
        for pid in family(self._pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
                pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
            except (OSError, IndexError):
                continue
            user, system = fields.rpartition(")")[2].split()[11:13]
            spent = (int(user) + int(system)) / _TICKS
            # The last interval of a process that ended between two samples is lost.
            self._total += max(0.0, spent - self._spent.get(pid, 0.0))
            self._spent[pid] = spent
            memory += pages * _PAGE / 2**20
        self._rows.append((time.monotonic(), self._total, memory, busy_seconds()))


def busy_seconds() -> float:
    """Return the CPU seconds, over all cores, that all processes have used since this machine started."""
    line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    user, nice, system, _, _, irq, soft, *_ = map(int, line.split()[1:])
    return (user + nice + system + irq + soft) / _TICKS
