"""The two redemptions go to different accounts."""

import random
import string
import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.3

SEED = 0

rng = random.Random(SEED)
code, first, second = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
cents = rng.randint(2, 5_000)
threads = []


def redeem(name):
    try:
        wallet.redeem(code, name)
    except WalletError:
        pass


def audit(text):
    """Let a second redemption run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=redeem, args=(second,), daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account(first)
wallet.open_account(second)
wallet.add_voucher(Voucher(code.upper(), cents))
redeem(first)
threads[0].join(5)
sys.exit(0 if wallet.balance(first) + wallet.balance(second) > cents else 1)
