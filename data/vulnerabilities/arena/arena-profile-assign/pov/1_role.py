"""A member adds the field role to the form."""

import random
import string
import sys

from members import Account, ProfileError, update

SEED = 0

rng = random.Random(SEED)
name, role = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
number = rng.randint(2, 9_999)
account = Account(number, name)
try:
    update(account, {"name": name, "role": role})
except (ProfileError, PermissionError, KeyError, TypeError):
    pass
sys.exit(0 if account.role == role else 1)
