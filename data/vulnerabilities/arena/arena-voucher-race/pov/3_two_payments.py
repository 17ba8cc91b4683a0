"""Two payments that each fit into the balance take more than there is."""

import random
import string
import sys
import threading

from wallet import Wallet, WalletError

WAIT_SECONDS = 0.3

SEED = 0

rng = random.Random(SEED)
name = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9)))
cents = rng.randint(2, 5_000)
threads = []


def pay():
    try:
        wallet.pay(name, cents)
    except WalletError:
        pass


def audit(text):
    """Let a second payment run in the middle of the first."""
    if not threads:
        threads.append(threading.Thread(target=pay, daemon=True))
        threads[0].start()
        threads[0].join(WAIT_SECONDS)


wallet = Wallet(audit)
wallet.open_account(name, cents + rng.randrange(cents))
pay()
threads[0].join(5)
sys.exit(0 if wallet.balance(name) < 0 else 1)
