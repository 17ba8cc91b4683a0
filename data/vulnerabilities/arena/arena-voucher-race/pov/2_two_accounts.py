"""The two redemptions go to different accounts."""

import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.3

threads = []


def redeem(name):
    try:
        wallet.redeem("gift", name)
    except WalletError:
        pass


def audit(text):
    """Let a second redemption run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=redeem, args=("bob",), daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account("eve")
wallet.open_account("bob")
wallet.add_voucher(Voucher("GIFT", 1000))
redeem("eve")
threads[0].join(5)
sys.exit(0 if wallet.balance("eve") + wallet.balance("bob") > 1000 else 1)
