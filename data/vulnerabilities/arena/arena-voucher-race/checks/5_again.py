"""After each refusal another thread books, by keywords too; a refusal writes no entry."""

import random
import string
import sys
import threading

from wallet import Voucher, Wallet, WalletError

SEED = 0

rng = random.Random(SEED)
name, other, code = (
    f"{letter}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))}" for letter in "noc"
)
start, cents = rng.randint(10, 99), rng.randint(100, 999)
log, answers = [], []
wallet = Wallet(audit=log.append)
wallet.open_account(name=name, cents=start)
wallet.open_account(name=other)
wallet.add_voucher(voucher=Voucher(code=code.upper(), cents=cents, uses=7))
REFUSED = (
    (wallet.open_account, (name, 5)),
    (wallet.redeem, ("", name)),
    (wallet.redeem, (code[:-1], name)),
    (wallet.redeem, (code, "")),
    (wallet.pay, (other, 1)),
    (wallet.pay, (name, -1)),
    (wallet.pay, ("", 1)),
)


def book():
    """Redeem the voucher once and pay it away again."""
    answers.append((wallet.redeem(code=f" {code}\n", name=name), wallet.pay(name=name, cents=cents)))


for number, (operation, arguments) in enumerate(REFUSED, 1):
    for _ in range(2):
        try:
            operation(*arguments)
        except WalletError:
            continue
        raise AssertionError((operation, arguments))
    assert len(log) == 2 * (number - 1), log
    thread = threading.Thread(target=book, daemon=True)
    thread.start()
    thread.join(2)
    if thread.is_alive():
        sys.exit("a refusal keeps the next booking waiting")
    assert answers == [(start + cents, start)] * number
    assert (wallet.balance(name=name), wallet.balance(other)) == (start, 0)
    assert wallet.uses_left(code=code) == 7 - number
assert log == [f"redeem {code.upper()}: {start} + {cents} for {name}", f"pay {cents} from {name}"] * 7
assert (wallet.uses_left(""), wallet.uses_left(code[:-1])) == (0, 0)
