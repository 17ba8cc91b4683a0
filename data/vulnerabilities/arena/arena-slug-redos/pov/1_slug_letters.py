"""A slug of letters that ends in an exclamation mark costs more than a third of a CPU second."""

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
    check_slug("a" * 40 + "!")
except PageError:
    pass
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
