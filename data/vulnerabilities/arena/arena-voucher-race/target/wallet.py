"""Balances and vouchers of a shop, used by many threads."""

from dataclasses import dataclass


class WalletError(ValueError):
    """A booking that is not possible."""


@dataclass
class Voucher:
    """A voucher: its value in cents and how often it may still be redeemed."""

    code: str
    cents: int
    uses: int = 1


class Wallet:
    """Accounts with a balance in cents.

    `audit(text)` writes an entry to the audit log before each booking; when it raises, nothing is booked.
    """

    def __init__(self, audit):
        self._audit = audit
        self._balances = {}
        self._vouchers = {}

    def open_account(self, name, cents=0):
        """Open an account."""
        if name in self._balances:
            raise WalletError(f"there is an account {name!r}")
        self._balances[name] = cents

    def add_voucher(self, voucher):
        """Make a voucher known."""
        self._vouchers[voucher.code] = voucher

    def balance(self, name):
        """Return the balance of an account."""
        try:
            return self._balances[name]
        except KeyError:
            raise WalletError(f"there is no account {name!r}") from None

    def uses_left(self, code):
        """Return how often a voucher may still be redeemed."""
        voucher = self._vouchers.get(code.strip().upper())
        return voucher.uses if voucher else 0

    def redeem(self, code, name):
        """Book the value of a voucher to an account and return the new balance."""
        voucher = self._vouchers.get(code.strip().upper())
        if voucher is None or voucher.uses < 1:
            raise WalletError(f"the voucher {code!r} cannot be redeemed")
        old = self.balance(name)
        self._audit(f"redeem {voucher.code}: {old} + {voucher.cents} for {name}")
        voucher.uses -= 1
        self._balances[name] += voucher.cents
        return self._balances[name]

    def pay(self, name, cents):
        """Take an amount from an account and return the new balance."""
        if cents <= 0:
            raise WalletError("an amount is positive")
        if self.balance(name) < cents:
            raise WalletError(f"the balance of {name} is too low")
        self._audit(f"pay {cents} from {name}")
        self._balances[name] -= cents
        return self._balances[name]
