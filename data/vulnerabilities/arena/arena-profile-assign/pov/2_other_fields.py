"""Balance, number, password and plan are set in the same way."""

import random
import string
import sys
from contextlib import suppress

from members import Account, ProfileError, update

SEED = 0

rng = random.Random(SEED)
name, hashed, plan = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
number = rng.randint(2, 9_999)
account = Account(number, name, password_hash="x")
for key, text in (
    ("balance", str(rng.randint(1, 99_999))),
    ("number", str(number + rng.randint(1, 99))),
    ("password_hash", hashed),
    ("settings.plan", plan),
):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        update(account, {key: text})
unchanged = (account.balance, account.number, account.password_hash, account.settings.plan)
sys.exit(0 if unchanged != (0, number, "x", "free") else 1)
