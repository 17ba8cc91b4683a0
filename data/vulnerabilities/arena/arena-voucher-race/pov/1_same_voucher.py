"""While the first redemption writes its audit entry, a second one passes the check."""

import random
import string
import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.3

SEED = 0

rng = random.Random(SEED)
code, name = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(2))
cents = rng.randint(2, 5_000)
threads = []


def redeem():
    try:
        wallet.redeem(code, name)
    except WalletError:
        pass


def audit(text):
    """Let a second redemption run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=redeem, daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account(name)
wallet.add_voucher(Voucher(code.upper(), cents))
redeem()
threads[0].join(5)
sys.exit(0 if wallet.balance(name) > cents else 1)
