"""The export keeps the order of the numbers, leaves unknown ones out, and quotes where needed."""

from billing import Billing, Invoice, User

billing = Billing(
    [Invoice(1, "acme, inc.", 1000), Invoice(3, "acme, inc.", 3000, state="paid"), Invoice(2, "globex", 5)]
)
ana = User("ana", "acme, inc.")
table = billing.export(ana, ["3", "7", "1"])
assert table.splitlines() == [
    "number,customer,cents,state",
    '3,"acme, inc.",3000,paid',
    '1,"acme, inc.",1000,open',
]
assert billing.export(ana, []).splitlines() == ["number,customer,cents,state"]
assert billing.overview(ana) == [1, 3]
