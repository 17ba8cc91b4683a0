"""A field of the form as the first or last part of a name opens other ones, and other members' accounts."""

import random
import string
import sys
from contextlib import suppress

from members import Account, ProfileError, import_rows, update

NAMES = ("sponsor.email", "sponsor.settings.theme", "settings.plan", "settings", "address", "sponsor")

SEED = 0

rng = random.Random(SEED)
name, other, value = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
number = rng.randint(2, 9_999)
mail = f"{other}@{value}.example"
sponsor = Account(1, other, mail)
account = Account(number, name, sponsor=sponsor)
for key in NAMES:
    with suppress(ProfileError, PermissionError, KeyError, TypeError, AttributeError):
        update(account, {key: value})
    with suppress(ProfileError, PermissionError, KeyError, TypeError, AttributeError):
        import_rows([account], [{"number": str(number), key: value}])
untouched = Account(number, name, sponsor=Account(1, other, mail))
sys.exit(0 if account != untouched else 1)
