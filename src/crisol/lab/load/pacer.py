"""Wakes an event loop when requests are due, to a tenth of a millisecond; the loop's own timers have one whole."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Self

__all__ = ["Pacer"]

_REST = 2e-4


class Pacer:
    """Makes ``fd`` readable at each of ``moments`` (of the monotonic clock, in order). Use it as ``with``.

    A thread sleeps in between, at least 0.2 ms, so close moments share a wake-up.
    """

    def __init__(self, moments: Sequence[float]) -> None:
        self._moments = moments
        self._at = 0
        self._woken = 0
        self._end = threading.Event()
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        os.close(self.fd)

    @property
    def empty(self) -> bool:
        """Whether every moment was handed out."""
        return self._at == len(self._moments)

    def due(self, now: float) -> Iterator[float]:
        """Yield the moments that have come and were not yet handed out."""
        os.eventfd_read(self.fd)
        while self._at < len(self._moments) and self._moments[self._at] <= now:
            self._at += 1
            yield self._moments[self._at - 1]

    def _run(self) -> None:
        while self._woken < len(self._moments) and not self._end.is_set():
            # Long waits are cut, so that leaving the block early does not take as long.
            wait = self._moments[self._woken] - time.monotonic()
            if wait > _REST:
                time.sleep(min(wait, 0.1))
                continue
            now = self._moments[self._woken] if wait > 0 else time.monotonic()
            time.sleep(max(wait, _REST if wait < 0 else 0.0))
            while self._woken < len(self._moments) and self._moments[self._woken] <= now:
                self._woken += 1
            os.eventfd_write(self.fd, 1)
