"""While the first redemption writes its audit entry, a second one passes the check."""

import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.3

threads = []


def redeem():
    try:
        wallet.redeem("GIFT", "eve")
    except WalletError:
        pass


def audit(text):
    """Let a second redemption run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=redeem, daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account("eve")
wallet.add_voucher(Voucher("GIFT", 1000))
redeem()
threads[0].join(5)
sys.exit(0 if wallet.balance("eve") > 1000 else 1)
