"""Accountants reach every invoice, below the page of any customer."""

from billing import Billing, Invoice, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 200)])
max_ = User("max", accountant=True)
assert billing.overview(max_) == [1, 2]
assert billing.page(max_, "acme", "1").startswith("Invoice 1")
assert billing.page(max_, "globex", "2").startswith("Invoice 2")
assert billing.download(max_, "globex", "2").startswith(b"%INVOICE\n2\n")
assert len(billing.export(max_, [1, 2]).splitlines()) == 3
assert "disputed by max" in billing.dispute(max_, "globex", "2", "typing error")
