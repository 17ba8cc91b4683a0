"""Over __class__ a dotted name reaches what all accounts share."""

import random
import string
import sys
from contextlib import suppress

from members import Account, Address, ProfileError, update

SEED = 0

rng = random.Random(SEED)
name, currency, role, city, title = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(5)
)
number = rng.randint(2, 9_999)
account = Account(number, name)
for form in ({"__class__.currency": currency}, {"__class__.role": role}, {"address.__class__.city": city}):
    with suppress(ProfileError, PermissionError, KeyError, TypeError):
        update(account, form)
with suppress(ProfileError, PermissionError, KeyError, TypeError):
    update(account, {"__class__.__name__": title})
shared = (Account.currency, Account.role, Account.__name__, Address.city)
sys.exit(0 if shared != ("EUR", "member", "Account", "") else 1)
