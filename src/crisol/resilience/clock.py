"""The type of the argument ``clock``, which returns the time, and a :class:`FakeClock` for tests.

>>> clock = FakeClock()
>>> start = clock()
>>> clock.advance(1.5)
>>> clock() - start
1.5
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock", "FakeClock"]


class Clock(Protocol):
    """A function that returns seconds since some fixed moment, such as ``time.monotonic``."""

    def __call__(self) -> float:
        """Return the time now, in seconds of this clock."""
        ...


class FakeClock:
    """A clock for tests: calling it returns ``now``, in seconds, which only :meth:`advance` changes."""

    __slots__ = ("now",)

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time now, in seconds of this clock."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Add ``seconds`` to the time; a negative number sets the clock back."""
        self.now += seconds
