"""Customers see, download and dispute their own invoices."""

from billing import Billing, Invoice, User

billing = Billing([Invoice(1, "acme", 1050), Invoice(2, "globex", 990_000)])
ana = User("ana", "acme")
assert billing.page(ana, "acme", "1") == "Invoice 1 of acme: 10.50 (open)"
assert billing.download(ana, "acme", "1") == b"%INVOICE\n1\nacme\n1050\n"
assert billing.log == [("ana", 1)]
assert (
    billing.dispute(ana, "acme", "1", " too much ") == "Invoice 1 of acme: 10.50 (disputed by ana: too much)"
)
try:
    billing.dispute(ana, "acme", "1", "  ")
except ValueError:
    pass
else:
    raise AssertionError("a dispute without a reason")
