"""A circle that passes labels: the name grows for ever, since its length is looked at behind the loop."""

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
for data in (b"\x03abc\xc0\x00", b"\x01a\xc0\x04\x01b\xc0\x00"):
    try:
        read_announcement(data)
    except (AnnounceError, ValueError, IndexError, RecursionError):
        continue
    except BudgetSpent:
        sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
