"""A pointer that points to itself: two bytes keep the reader busy, whatever follows."""

import random
import signal
import sys

SEED = 0

CPU_SECONDS = 0.25
rng = random.Random(SEED)


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


# act
from announce import AnnounceError, read_announcement

signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    read_announcement(b"\xc0\x00" + rng.randbytes(rng.randint(0, 8)))
except (AnnounceError, ValueError, IndexError, RecursionError):
    pass
except BudgetSpent:
    pass

# judge
sys.exit(0 if CPU_USED > CPU_SECONDS / 2 else 1)
