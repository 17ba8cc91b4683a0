"""An option of length zero is read again and again, alone or behind another one."""

import random
import signal
import string
import sys

from announce import AnnounceError, read_announcement, read_options

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
try:
    name, kind, value = label() + b"\x00", rng.randbytes(1), rng.choice(string.ascii_letters).encode() * 6
    for read, data in (
        (read_announcement, name + kind + b"\x00"),
        (read_announcement, name + kind + b"\x01" + value + kind + b"\x00" + value),
        (lambda data: read_options(data, 0), kind + b"\x00" + kind + b"\x00"),
    ):
        try:
            read(data)
        except (AnnounceError, ValueError, IndexError):
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
