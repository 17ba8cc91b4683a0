"""Unknown numbers, odd numbers and pages of others are NotFound, and the own pages stay open after it."""

from billing import Billing, Invoice, NotFound, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 200)])
ana = User("ana", "acme")
for customer, number in (("acme", "9"), ("acme", "x"), ("acme", ""), ("globex", "2"), ("globex", "1")):
    for operation in (billing.page, billing.download):
        try:
            operation(ana, customer, number)
        except NotFound:
            continue
        raise AssertionError((customer, number))
assert billing.log == []
assert billing.page(ana, "acme", "1") == "Invoice 1 of acme: 10.00 (open)"
assert billing.download(ana, "acme", "1").startswith(b"%INVOICE\n1\n")
assert billing.log == [("ana", 1)]
