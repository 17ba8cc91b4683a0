"""Two and three pointers in a circle, and one that leads forward and back."""

import random
import signal
import sys

from announce import AnnounceError, read_announcement

SEED = 0

CPU_SECONDS = 0.25
rng = random.Random(SEED)
rest = rng.randbytes(rng.randint(0, 8))


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
far = rng.randint(3, 200)
for data in (
    b"\xc0\x02\xc0\x00",
    b"\xc0\x04\xc0\x00\xc0\x02",
    bytes([0xC0, far]) + bytes(far - 2) + b"\xc0\x00",
):
    try:
        read_announcement(data + rest)
    except (AnnounceError, ValueError, IndexError, RecursionError):
        continue
    except BudgetSpent:
        sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
