"""The download gives the same invoice away."""

import sys

from billing import Billing, Invoice, NotFound, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 990_000)])
for customer, number in (("acme", "2"), ("acme", " 2"), ("acme", "02")):
    try:
        content = billing.download(User("eve", "acme"), customer, number)
    except (NotFound, PermissionError, ValueError):
        continue
    if content and b"990000" in content:
        sys.exit(0)
sys.exit(1)
