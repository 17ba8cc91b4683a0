"""A user who belongs to no customer, or names the foreign one, reaches nothing either."""

import sys

from billing import Billing, Invoice, NotFound, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 990_000, shared={"initech"})])
for user, customer in ((User("eve"), ""), (User("eve", "globe"), "globe"), (User("eve", "acme"), "acme")):
    for operation in (billing.page, billing.download):
        try:
            answer = operation(user, customer, "2")
        except (NotFound, PermissionError, ValueError):
            continue
        if answer and ("9900.00" in str(answer) or "990000" in str(answer)):
            sys.exit(0)
sys.exit(1)
