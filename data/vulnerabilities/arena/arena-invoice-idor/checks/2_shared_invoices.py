"""An invoice that is shared with a customer is reached below the own page, and in the export."""

from billing import Billing, Invoice, User

billing = Billing([Invoice(1, "acme", 1000), Invoice(2, "globex", 200, shared={"acme", "initech"})])
ana = User("ana", "acme")
assert billing.overview(ana) == [1, 2]
assert billing.page(ana, "acme", "2") == "Invoice 2 of globex: 2.00 (open)"
assert billing.download(ana, "acme", "2").splitlines()[2] == b"globex"
assert billing.export(ana, ["1", "2"]).splitlines()[1:] == ["1,acme,1000,open", "2,globex,200,open"]
assert "disputed by ana" in billing.dispute(ana, "acme", "2", "our share")
