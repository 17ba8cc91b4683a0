"""Two payments that each fit into the balance take more than there is."""

import sys
import threading

from wallet import Wallet, WalletError

WAIT_SECONDS = 0.3

threads = []


def pay():
    try:
        wallet.pay("eve", 700)
    except WalletError:
        pass


def audit(text):
    """Let a second payment run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=pay, daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account("eve", 1000)
pay()
threads[0].join(5)
sys.exit(0 if wallet.balance("eve") < 0 else 1)
