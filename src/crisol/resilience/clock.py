"""The type of a clock, a function that returns the time in seconds, and a :class:`FakeClock` for tests.

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
    """A clock for tests, whose time stands still until :meth:`advance` is called.

    ``now`` is the time at the start, in seconds. The object is called like ``time.monotonic``.
    """

    __slots__ = ("now",)

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time now, in seconds of this clock."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Add ``seconds`` to the time; a negative number sets the clock back."""
        self.now += seconds
