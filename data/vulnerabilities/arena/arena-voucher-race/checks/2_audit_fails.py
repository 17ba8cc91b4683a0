"""When the audit entry cannot be written, nothing is booked and a later try works."""

from wallet import Voucher, Wallet

broken = [True]


def audit(text):
    if broken[0]:
        raise OSError("disk full")


wallet = Wallet(audit)
wallet.open_account("ana", 100)
wallet.add_voucher(Voucher("GIFT", 1000))
for operation, arguments in ((wallet.redeem, ("GIFT", "ana")), (wallet.pay, ("ana", 50))):
    try:
        operation(*arguments)
    except OSError:
        continue
    raise AssertionError("the failure of the audit log is hidden")
assert (wallet.balance("ana"), wallet.uses_left("GIFT")) == (100, 1)
broken[0] = False
assert wallet.redeem("GIFT", "ana") == 1100
assert wallet.pay("ana", 100) == 1000
