"""A dispute changes an invoice of another customer, whatever the answer is."""

import random
import string
import sys
from contextlib import suppress

from billing import Billing, Invoice, NotFound, User

SEED = 0

rng = random.Random(SEED)
eve, own, other = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
number, cents = rng.randint(2, 9_999), rng.randint(100_000, 990_000)
reason = "".join(rng.choices(string.ascii_lowercase, k=8))
foreign = Invoice(number, other, cents)
billing = Billing([Invoice(1, own, 1000), foreign])
with suppress(NotFound, PermissionError, ValueError):
    billing.dispute(User(eve, own), own, str(number), reason)
sys.exit(0 if foreign.state != "open" else 1)
