"""A customer asks for the number of another one below the own page."""

import sys

from billing import Billing, Invoice, NotFound, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 990_000)])
try:
    text = billing.page(User("eve", "acme"), "acme", "2")
except (NotFound, PermissionError, ValueError):
    sys.exit(1)
sys.exit(0 if "9900.00" in text else 1)
