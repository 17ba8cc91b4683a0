"""A voucher with two uses is redeemed four times by nested requests."""

import random
import string
import sys
import threading

from wallet import Voucher, Wallet, WalletError

WAIT_SECONDS = 0.15

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
    """Let another redemption run in the middle of this one, up to four in all."""
    if len(threads) < 3:
        thread = threading.Thread(target=redeem, daemon=True)
        threads.append(thread)
        thread.start()
        thread.join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account(name)
wallet.add_voucher(Voucher(code.upper(), cents, uses=2))
redeem()
for thread in threads:
    thread.join(5)
sys.exit(0 if wallet.balance(name) > 2 * cents or wallet.uses_left(code) < 0 else 1)
