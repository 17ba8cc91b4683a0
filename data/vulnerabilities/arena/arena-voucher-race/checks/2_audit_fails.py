"""When the audit entry cannot be written, nothing is booked; a later try works, from any thread."""

import sys
import threading

from wallet import Voucher, Wallet, WalletError

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
for operation, arguments in (
    (wallet.redeem, ("NONE", "ana")),
    (wallet.redeem, ("GIFT", "bob")),
    (wallet.pay, ("ana", 101)),
):
    try:
        operation(*arguments)
    except WalletError:
        continue
    raise AssertionError("a booking that is not possible")
broken[0] = False
answers = []
thread = threading.Thread(
    target=lambda: answers.extend((wallet.redeem("GIFT", "ana"), wallet.pay("ana", 100))), daemon=True
)
thread.start()
thread.join(2)
if thread.is_alive():
    sys.exit("a booking that failed keeps the next one waiting")
assert answers == [1100, 1000]
assert wallet.pay("ana", 1000) == 0
