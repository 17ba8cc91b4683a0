"""A row of an import that is cut short has fields without text; it is refused by an error for the member."""

import csv
import io
import random
import string

from members import Account, ProfileError, import_rows, update

SEED = 0

rng = random.Random(SEED)
name, city = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))


def refused(call, *arguments):
    """Tell whether the call raises ProfileError."""
    try:
        call(*arguments)
    except ProfileError:
        return True
    return False


account = Account(7, name)
for column in ("name", "address.city", "settings.theme", "newsletter"):
    assert refused(import_rows, [account], list(csv.DictReader(io.StringIO(f"number,{column}\n7\n")))), column
    assert refused(update, account, {column: None}), column
    assert account == Account(7, name), account
assert import_rows([account], csv.DictReader(io.StringIO(f"number,address.city\n7,{city}\n"))) == 1
assert account.address.city == city
