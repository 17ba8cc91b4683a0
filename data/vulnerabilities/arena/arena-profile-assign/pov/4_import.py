"""The rows of an import set what the form must not."""

import random
import string
import sys
from contextlib import suppress

from members import Account, ProfileError, import_rows

SEED = 0

rng = random.Random(SEED)
name, role, plan = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
number = rng.randint(2, 9_999)
account = Account(number, name)
for key, text in (("role", role), ("balance", str(rng.randint(1, 99_999))), ("settings.plan", plan)):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        import_rows([account], [{"number": str(number), key: text}])
sys.exit(0 if (account.role, account.balance, account.settings.plan) != ("member", 0, "free") else 1)
