"""A field of the form as the first or last part of a name opens other ones, and other members' accounts."""

import sys
from contextlib import suppress

from members import Account, ProfileError, import_rows, update

NAMES = ("sponsor.email", "sponsor.settings.theme", "settings.plan", "settings", "address", "sponsor")

sponsor = Account(1, "Ana", "ana@example.org")
account = Account(7, "Eve", sponsor=sponsor)
for name in NAMES:
    with suppress(ProfileError, PermissionError, KeyError, TypeError, AttributeError):
        update(account, {name: "gold"})
    with suppress(ProfileError, PermissionError, KeyError, TypeError, AttributeError):
        import_rows([account], [{"number": "7", name: "gold"}])
untouched = Account(7, "Eve", sponsor=Account(1, "Ana", "ana@example.org"))
sys.exit(0 if account != untouched else 1)
