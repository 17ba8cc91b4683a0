"""The export lists whatever numbers it is asked for, also behind own ones and repeated."""

import random
import string
import sys

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
eve, own, other = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
number, cents = rng.randint(4, 9_999), rng.randint(100_000, 990_000)
first, last = rng.randint(1, 3), number + rng.randint(1, 9)
billing = Billing([Invoice(first, own, 1000), Invoice(number, other, cents), Invoice(last, own, 3000)])
for numbers in (
    [number],
    [f"{first}", f"{number}"],
    [first, number, last],
    [f"0{number}", last],
    range(last),
):
    try:
        table = billing.export(User(eve, own), list(numbers))
    except (NotFound, PermissionError, ValueError):
        continue
    if str(cents) in table:
        sys.exit(0)
sys.exit(1)
