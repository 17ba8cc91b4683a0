"""Bookings of many threads on different accounts and vouchers all arrive."""

import threading

from wallet import Voucher, Wallet

wallet = Wallet(lambda text: None)
for number in range(8):
    wallet.open_account(f"a{number}", 100)
    wallet.add_voucher(Voucher(f"V{number}", 10, uses=20))


def book(number):
    for _ in range(20):
        wallet.redeem(f"v{number}", f"a{number}")
        wallet.pay(f"a{number}", 5)


threads = [threading.Thread(target=book, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [wallet.balance(f"a{number}") for number in range(8)] == [200] * 8
assert all(wallet.uses_left(f"V{number}") == 0 for number in range(8))
