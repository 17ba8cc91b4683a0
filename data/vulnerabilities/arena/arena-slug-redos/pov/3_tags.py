"""The line of tags has the same weakness, in its words and in the blanks around them."""

import random
import signal
import string
import sys

from pages import PageError, parse_tags

SEED = 0

CPU_SECONDS = 0.35
rng = random.Random(SEED)


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    letter, end = rng.choice(string.ascii_letters), rng.choice("!?;#")
    for line in (
        "".join(rng.choices(string.ascii_letters, k=42)) + end,
        f"{letter}  " * 14 + end,
        f"{letter} , " * 20 + end,
        " " * 3000 + letter + " " * 3000 + end,
    ):
        try:
            parse_tags(line)
        except PageError:
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
