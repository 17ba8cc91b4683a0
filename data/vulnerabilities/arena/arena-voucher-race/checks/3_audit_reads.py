"""The audit log may read balances and vouchers while it writes."""

import sys
import threading

from wallet import Voucher, Wallet

entries = []


def audit(text):
    entries.append((text.split()[0], wallet.balance("ana"), wallet.uses_left("GIFT")))


def book():
    wallet.redeem("GIFT", "ana")
    wallet.pay("ana", 30)


wallet = Wallet(audit)
wallet.open_account("ana", 100)
wallet.add_voucher(Voucher("GIFT", 1000))
thread = threading.Thread(target=book, daemon=True)
thread.start()
thread.join(1)
if thread.is_alive():
    sys.exit("the booking does not come to an end")
assert [entry[0] for entry in entries] == ["redeem", "pay"]
assert wallet.balance("ana") == 1070
assert wallet.uses_left("GIFT") == 0
