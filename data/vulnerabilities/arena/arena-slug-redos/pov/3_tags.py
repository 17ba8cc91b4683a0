"""The line of tags has the same weakness, in its words and in the blanks around them."""

import signal
import sys

from pages import PageError, parse_tags

CPU_SECONDS = 0.35


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    for line in ("tag" * 14 + "!", "a  " * 14 + "?", "a , " * 20 + ";", " " * 3000 + "a" + " " * 3000 + "!"):
        try:
            parse_tags(line)
        except PageError:
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
