"""Vouchers are redeemed as often as they may be, payments as far as the balance goes."""

from wallet import Voucher, Wallet, WalletError


def fails(function, *arguments):
    """Tell whether the call ends in WalletError."""
    try:
        function(*arguments)
    except WalletError:
        return True
    return False


log = []
wallet = Wallet(log.append)
wallet.open_account("ana", 100)
wallet.add_voucher(Voucher("GIFT", 1000, uses=2))
assert wallet.redeem(" gift ", "ana") == 1100
assert wallet.uses_left("Gift") == 1
assert wallet.pay("ana", 1100) == 0
assert wallet.redeem("GIFT", "ana") == 1000
assert fails(wallet.redeem, "GIFT", "ana")
assert fails(wallet.redeem, "OTHER", "ana")
assert fails(wallet.pay, "ana", 1001)
assert fails(wallet.pay, "ana", 0)
assert fails(wallet.pay, "bob", 1)
assert fails(wallet.open_account, "ana")
assert fails(wallet.balance, "bob")
assert wallet.balance("ana") == 1000
assert log == ["redeem GIFT: 100 + 1000 for ana", "pay 1100 from ana", "redeem GIFT: 0 + 1000 for ana"]
