"""A dispute changes an invoice of another customer, whatever the answer is."""

import sys
from contextlib import suppress

from billing import Billing, Invoice, NotFound, User

foreign = Invoice(2, "globex", 990_000)
billing = Billing([Invoice(1, "acme", 1000), foreign])
with suppress(NotFound, PermissionError, ValueError):
    billing.dispute(User("eve", "acme"), "acme", "2", "not ours")
sys.exit(0 if foreign.state != "open" else 1)
