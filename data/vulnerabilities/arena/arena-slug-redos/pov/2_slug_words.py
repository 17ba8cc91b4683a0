"""Short words, digits and a wrong end that is a letter: every form of slug is affected."""

import signal
import sys

from pages import PageError, check_slug

CPU_SECONDS = 0.35


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    for slug in ("1234567890" * 4 + "_", "page-" + "x1" * 25 + "Z", "abcdefgh" * 5 + "--", "z" * 119 + "\n"):
        try:
            check_slug(slug)
        except PageError:
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
