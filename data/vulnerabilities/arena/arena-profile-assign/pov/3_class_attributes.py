"""Over __class__ a dotted name reaches what all accounts share."""

import sys
from contextlib import suppress

from members import Account, Address, ProfileError, update

account = Account(7, "Eve")
for form in ({"__class__.currency": "XTS"}, {"__class__.role": "admin"}, {"address.__class__.city": "Oz"}):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        update(account, form)
with suppress(ProfileError, PermissionError, KeyError, TypeError):
    update(account, {"__class__.__name__": "Admin"})
shared = (Account.currency, Account.role, Account.__name__, Address.city)
sys.exit(0 if shared != ("EUR", "member", "Account", "") else 1)
