"""Two and three pointers in a circle, and one that leads forward and back."""

import signal
import sys

from announce import AnnounceError, read_announcement

CPU_SECONDS = 0.25


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
for data in (b"\xc0\x02\xc0\x00", b"\xc0\x04\xc0\x00\xc0\x02", b"\xc0\x03\x00\xc0\x00"):
    try:
        read_announcement(data)
    except (AnnounceError, ValueError, IndexError, RecursionError):
        continue
    except BudgetSpent:
        sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
