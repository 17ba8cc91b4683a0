"""The rows of an import set what the form must not."""

import sys
from contextlib import suppress

from members import Account, ProfileError, import_rows

account = Account(7, "Eve")
for name, text in (("role", "admin"), ("balance", "5000"), ("settings.plan", "gold")):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        import_rows([account], [{"number": "7", name: text}])
sys.exit(0 if (account.role, account.balance, account.settings.plan) != ("member", 0, "free") else 1)
