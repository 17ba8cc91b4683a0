"""A slug of letters that ends in a punctuation mark costs more than a third of a CPU second."""

import random
import signal
import string
import sys

SEED = 0

CPU_SECONDS = 0.35
rng = random.Random(SEED)


class BudgetSpent(BaseException):
    """The CPU budget is used up."""


def stop(signum, frame):
    raise BudgetSpent


# act
from pages import PageError, check_slug

signal.signal(signal.SIGVTALRM, stop)
signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
try:
    check_slug(rng.choice(string.ascii_lowercase) * rng.randint(40, 100) + rng.choice("!?.:;"))
except PageError:
    pass
except BudgetSpent:
    pass

# judge
sys.exit(0 if CPU_USED > CPU_SECONDS / 2 else 1)
