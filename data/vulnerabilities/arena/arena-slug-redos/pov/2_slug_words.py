"""Short words, digits and a wrong end that is a letter: every form of slug is affected."""

import random
import signal
import string
import sys

from pages import PageError, check_slug

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
    word = "".join(rng.choices(string.ascii_lowercase + string.digits, k=50))
    for slug in (
        "".join(rng.choices(string.digits, k=40)) + "_",
        f"{word[:4]}-{word}{rng.choice(string.ascii_uppercase)}",
        word + "--",
        rng.choice(string.ascii_lowercase) * 119 + "\n",
    ):
        try:
            check_slug(slug)
        except PageError:
            continue
except BudgetSpent:
    sys.exit(0)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
sys.exit(1)
