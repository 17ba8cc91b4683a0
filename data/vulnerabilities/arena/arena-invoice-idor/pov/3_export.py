"""The export lists whatever numbers it is asked for, also behind own ones and repeated."""

import sys

from billing import Billing, Invoice, NotFound, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 990_000), Invoice(3, "acme", 3000)])
for numbers in (["2"], ["1", "2"], ["1", "2", "3"], [1, 3, 2], range(10)):
    try:
        table = billing.export(User("eve", "acme"), list(numbers))
    except (NotFound, PermissionError, ValueError):
        continue
    if "990000" in table:
        sys.exit(0)
sys.exit(1)
