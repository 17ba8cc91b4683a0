"""A circle that passes labels: the name grows for ever, since its length is looked at behind the loop."""

import random
import signal
import string
import sys

from announce import AnnounceError, read_announcement

SEED = 0

CPU_SECONDS = 0.25
rng = random.Random(SEED)


def label():
    """Return a label with its length."""
    text = "".join(rng.choices(string.ascii_letters, k=rng.randint(1, 12))).encode()
    return bytes([len(text)]) + text


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
first, second = label(), label()
for data in (first + b"\xc0\x00", first + bytes([0xC0, len(first) + 2]) + second + b"\xc0\x00"):
    try:
        read_announcement(data)
    except (AnnounceError, ValueError, IndexError, RecursionError):
        continue
    except BudgetSpent:
        sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
