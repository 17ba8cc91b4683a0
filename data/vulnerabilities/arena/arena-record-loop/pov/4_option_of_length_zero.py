"""An option of length zero is read again and again, alone or behind another one."""

import signal
import sys

from announce import AnnounceError, read_announcement, read_options

CPU_SECONDS = 0.25


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    for read, data in (
        (read_announcement, b"\x03dev\x00\x05\x00"),
        (read_announcement, b"\x03dev\x00\x05\x01value.\x07\x00rest"),
        (lambda data: read_options(data, 0), b"\x00\x00\x00\x00"),
    ):
        try:
            read(data)
        except (AnnounceError, ValueError, IndexError):
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
