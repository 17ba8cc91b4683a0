"""Wake an event loop when requests are due, to a fraction of a millisecond.

The loop's own timers have a resolution of one millisecond.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from typing import Self

__all__ = ["Pacer"]

_REST = 2e-4
_ABSOLUTE = 1
_NANO = 1_000_000_000

# The interpreter offers these from Python 3.13 on.
_libc = ctypes.CDLL(None, use_errno=True)


class _TimerSpec(ctypes.Structure):
    """The C structure ``struct itimerspec``: the interval of a timer, 0 for none, and its first expiry."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns"))


class Pacer:
    """A Linux timer that makes its file descriptor ``fd`` readable when a request is due.

    ``moments`` are the times at which requests are due, in seconds of the monotonic clock, ascending. Use the
    pacer as a context manager; when ``fd`` is readable, :meth:`due` yields the times of the requests that are
    due. The timer fires at most every 0.2 ms, so there may be several. Raises ``OSError`` if the kernel gives
    no timer.
    """

    def __init__(self, moments: Sequence[float]) -> None:
        self._moments = moments
        self._at = 0
        self.fd: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def __enter__(self) -> Self:
        if not self.empty:
            self._wake_at(self._moments[0])
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def empty(self) -> bool:
        """Whether :meth:`due` has yielded the times of all requests."""
        return self._at == len(self._moments)

    def due(self, now: float) -> Iterator[float]:
        """Yield the times, up to ``now``, of requests that are due and were not yielded before.

        All times are in seconds of the monotonic clock. Call the method when ``fd`` is readable, and read the
        iterator to its end: only then is the timer set for the next request.
        """
        os.read(self.fd, 8)
        while self._at < len(self._moments) and self._moments[self._at] <= now:
            self._at += 1
            yield self._moments[self._at - 1]
        if not self.empty:
            self._wake_at(max(self._moments[self._at], now + _REST))

    def _wake_at(self, moment: float) -> None:
        first = divmod(max(1, int(moment * _NANO)), _NANO)
        if _libc.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(_TimerSpec(0, 0, *first)), None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
