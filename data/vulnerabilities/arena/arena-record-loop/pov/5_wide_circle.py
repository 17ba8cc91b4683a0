"""A circle of thousands of labels in one datagram: walked once for each of its bytes, it ends in no useful time."""

import random
import signal
import string
import sys

from announce import AnnounceError, read_announcement

SEED = 0

CPU_SECONDS = 0.25
rng = random.Random(SEED)


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


circle = b"\x01" + rng.choice(string.ascii_letters).encode()
data = circle * rng.randint(7000, 8000) + b"\xc0\x00"
data += rng.choice(string.ascii_letters).encode() * (rng.randint(60000, 65000) - len(data))
signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    read_announcement(data)
except (AnnounceError, ValueError, IndexError, RecursionError):
    pass
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
