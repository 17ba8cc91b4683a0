"""A user who belongs to no customer, or names the foreign one, reaches nothing either."""

import random
import string
import sys

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
eve, own, other, partner = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(4)
)
number, cents = rng.randint(2, 9_999), rng.randint(100_000, 990_000)
billing = Billing([Invoice(1, own, 1000), Invoice(number, other, cents, shared={partner})])
for customer in ("", other[:-1], partner[1:], own):
    for operation in (billing.page, billing.download):
        try:
            answer = operation(User(eve, customer), customer, str(number))
        except (NotFound, PermissionError, ValueError):
            continue
        if answer and (f"{cents / 100:.2f}" in str(answer) or str(cents) in str(answer)):
            sys.exit(0)
sys.exit(1)
