"""Invoices of the customers: page, download, export, dispute."""

import csv
import io
from dataclasses import dataclass, field


class NotFound(LookupError):
    """There is no such page for this user."""


@dataclass(frozen=True)
class User:
    """Who is logged in: a customer, or an accountant without a customer."""

    name: str
    customer: str = ""
    accountant: bool = False


@dataclass
class Invoice:
    """An invoice; customers in `shared` may see it as well."""

    number: int
    customer: str
    cents: int
    state: str = "open"
    shared: set = field(default_factory=set)


class Billing:
    """All invoices by their number."""

    def __init__(self, invoices):
        self._invoices = {invoice.number: invoice for invoice in invoices}
        self.log = []

    def _invoice(self, user, customer, number):
        """Return an invoice below the page of a customer."""
        if not user.accountant and user.customer != customer:
            raise NotFound(f"{customer}/{number}")
        try:
            return self._invoices[int(number)]
        except (KeyError, ValueError):
            raise NotFound(f"{customer}/{number}") from None

    def page(self, user, customer, number):
        """Return the text of /customers/<customer>/invoices/<number>."""
        invoice = self._invoice(user, customer, number)
        return f"Invoice {invoice.number} of {invoice.customer}: {invoice.cents / 100:.2f} ({invoice.state})"

    def download(self, user, customer, number):
        """Return the invoice as a file."""
        invoice = self._invoice(user, customer, number)
        self.log.append((user.name, invoice.number))
        return f"%INVOICE\n{invoice.number}\n{invoice.customer}\n{invoice.cents}\n".encode()

    def dispute(self, user, customer, number, reason):
        """Stop the payment of an invoice; the customer may still change the mind."""
        if not reason.strip():
            raise ValueError("please give a reason")
        invoice = self._invoice(user, customer, number)
        invoice.state = f"disputed by {user.name}: {reason.strip()}"
        return self.page(user, customer, number)

    def export(self, user, numbers):
        """Return the invoices of these numbers as CSV; unknown numbers are left out."""
        sink = io.StringIO()
        writer = csv.writer(sink)
        writer.writerow(["number", "customer", "cents", "state"])
        for number in numbers:
            invoice = self._invoices.get(int(number))
            if invoice is not None:
                writer.writerow([invoice.number, invoice.customer, invoice.cents, invoice.state])
        return sink.getvalue()

    def overview(self, user):
        """Return the numbers of the invoices that the user may see, in order."""
        return sorted(
            invoice.number
            for invoice in self._invoices.values()
            if user.accountant or user.customer == invoice.customer or user.customer in invoice.shared
        )
