"""A customer asks for the number of another one below the own page."""

import random
import string
import sys

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
eve, own, other = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
number, cents = rng.randint(2, 9_999), rng.randint(100_000, 990_000)
billing = Billing([Invoice(1, own, 1000), Invoice(number, other, cents)])
try:
    text = billing.page(User(eve, own), own, str(number))
except (NotFound, PermissionError, ValueError):
    sys.exit(1)
sys.exit(0 if f"{cents / 100:.2f}" in text else 1)
