"""Carts of a farm shop."""

from dataclasses import dataclass, field

MAX_AMOUNT = 500.0


class CartError(ValueError):
    """A cart or payment that is not possible."""


@dataclass
class Customer:
    """A customer with a balance in euros."""

    name: str
    balance: float


@dataclass(frozen=True)
class Order:
    """A paid order: amounts by article, and the sum in euros."""

    customer: str
    amounts: dict
    total: float


def to_number(text):
    """Return the number in the field of a form; a comma may stand for the point."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise CartError(f"not a number: {text!r}") from None


@dataclass
class Cart:
    """Amounts of articles, in pieces or kilograms, with the prices of the shop."""

    prices: dict
    amounts: dict = field(default_factory=dict)

    def _store(self, article, amount):
        if article not in self.prices:
            raise CartError(f"there is no article {article!r}")
        if amount > MAX_AMOUNT:
            raise CartError(f"at most {MAX_AMOUNT:g} of an article")
        self.amounts[article] = amount

    def add(self, article, amount="1"):
        """Add an amount to what is in the cart."""
        self._store(article, self.amounts.get(article, 0.0) + to_number(amount))

    def change(self, article, amount):
        """Set the amount of an article; zero removes it."""
        number = to_number(amount)
        if number == 0:
            self.amounts.pop(article, None)
        else:
            self._store(article, number)

    def total(self):
        """Return the sum in euros."""
        return round(sum(self.prices[article] * amount for article, amount in self.amounts.items()), 2)

    def check_out(self, customer, tip="0"):
        """Take the sum and a tip from the customer's balance and return the order."""
        if not self.amounts:
            raise CartError("the cart is empty")
        total = round(self.total() + to_number(tip), 2)
        if total > customer.balance:
            raise CartError("the balance is too low")
        customer.balance = round(customer.balance - total, 2)
        order = Order(customer.name, dict(self.amounts), total)
        self.amounts.clear()
        return order
