"""A voucher with two uses is redeemed four times by nested requests."""

import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.15

threads = []


def redeem():
    try:
        wallet.redeem("TWICE", "eve")
    except WalletError:
        pass


def audit(text):
    """Let another redemption run in the middle of this one, up to four in all."""
    if len(threads) < 3:
        thread = threading.Thread(target=redeem, daemon=True)
        threads.append(thread)
        thread.start()
        thread.join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account("eve")
wallet.add_voucher(Voucher("TWICE", 500, uses=2))
redeem()
for thread in threads:
    thread.join(5)
sys.exit(0 if wallet.balance("eve") > 1000 or wallet.uses_left("TWICE") < 0 else 1)
