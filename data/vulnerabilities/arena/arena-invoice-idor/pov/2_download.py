"""The download gives the same invoice away."""

import random
import string
import sys

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
eve, own, other = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
number, cents = rng.randint(2, 9_999), rng.randint(100_000, 990_000)
billing = Billing([Invoice(1, own, 1000), Invoice(number, other, cents)])
for customer, spelling in ((own, f"{number}"), (own, f" {number}"), (own, f"0{number}")):
    try:
        content = billing.download(User(eve, own), customer, spelling)
    except (NotFound, PermissionError, ValueError):
        continue
    if content and str(cents).encode() in content:
        sys.exit(0)
sys.exit(1)
