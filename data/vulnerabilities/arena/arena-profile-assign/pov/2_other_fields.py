"""Balance, number, password and plan are set in the same way."""

import sys
from contextlib import suppress

from members import Account, ProfileError, update

account = Account(7, "Eve", password_hash="x")
for name, text in (
    ("balance", "100000"),
    ("number", "1"),
    ("password_hash", "known"),
    ("settings.plan", "gold"),
):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        update(account, {name: text})
unchanged = (account.balance, account.number, account.password_hash, account.settings.plan)
sys.exit(0 if unchanged != (0, 7, "x", "free") else 1)
