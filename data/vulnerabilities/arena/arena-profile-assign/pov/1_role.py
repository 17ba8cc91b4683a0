"""A member adds the field role to the form."""

import sys

from members import Account, ProfileError, update

account = Account(7, "Eve")
try:
    update(account, {"name": "Eve", "role": "admin"})
except (ProfileError, PermissionError, KeyError, TypeError):
    pass
sys.exit(0 if account.role == "admin" else 1)
