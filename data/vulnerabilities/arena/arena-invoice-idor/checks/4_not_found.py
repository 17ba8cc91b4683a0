"""Unknown numbers, odd numbers and pages of others are NotFound."""

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
