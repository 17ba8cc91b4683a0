"""The calls over which a circuit breaker computes its rates: the last N calls, or all within N seconds.

A window of calls needs no object: each outcome is one bit of a plain integer, see :func:`push`. For a window
of seconds, :class:`TimeWindow` keeps a ring of partial sums.
"""

from __future__ import annotations

__all__ = ["TimeWindow", "push"]

BUCKETS = 10


def push(bits: int, bit: int, size: int) -> int:
    """Return ``bits``, the outcomes of the last calls, with the outcome ``bit`` of the newest call added.

    Each outcome is one bit; the newest is the lowest. Only the last ``size`` outcomes are kept. The caller
    keeps two such numbers: in one of them a bit is 1 if the call failed, in the other if the call was slow.

    >>> bin(push(0b1101, 1, size=4))
    '0b1011'
    """
    return (bits << 1 | bit) & ((1 << size) - 1)


class TimeWindow:
    """A counter of the calls, the failed calls and the slow calls of the last ``seconds`` seconds.

    The window moves on in steps of ``seconds / 10``, so calls leave it up to one step early. It does not move
    back if the clock is set back.
    """

    __slots__ = ("_bad", "_calls", "_newest", "_slow", "_span")

    def __init__(self, seconds: float) -> None:
        self._span = seconds / BUCKETS
        self._calls = [0] * BUCKETS
        self._bad = [0] * BUCKETS
        self._slow = [0] * BUCKETS
        self._newest = -1

    def add(self, now: float, *, bad: bool, slow: bool) -> None:
        """Count a call that ended at the time ``now``, in seconds of the breaker's clock.

        ``bad`` says that the call failed, ``slow`` that it took too long.
        """
        slot = self._advance(now)
        self._calls[slot] += 1
        self._bad[slot] += bad
        self._slow[slot] += slow

    def sums(self, now: float) -> tuple[int, int, int]:
        """Return the numbers of (calls, failed calls, slow calls) in the window that ends at ``now``.

        ``now`` is a time in seconds of the breaker's clock.
        """
        self._advance(now)
        return sum(self._calls), sum(self._bad), sum(self._slow)

    def _advance(self, now: float) -> int:
        tick = int(now // self._span)
        if tick > self._newest:
            first = max(self._newest + 1, tick - BUCKETS + 1)
            for stale in range(first, tick + 1):
                slot = stale % BUCKETS
                self._calls[slot] = self._bad[slot] = self._slow[slot] = 0
            self._newest = tick
        return self._newest % BUCKETS
