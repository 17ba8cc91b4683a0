"""Profiles of the members."""

from dataclasses import dataclass, field

FORM = (
    "name",
    "email",
    "newsletter",
    "address.street",
    "address.city",
    "settings.language",
    "settings.theme",
)


class ProfileError(ValueError):
    """A change that is not possible; the text is for the member."""


@dataclass
class Address:
    """Where a member lives."""

    street: str = ""
    city: str = ""


@dataclass
class Settings:
    """How the site looks to a member, and what a member has paid for."""

    language: str = "en"
    theme: str = "light"
    plan: str = "free"


@dataclass
class Account:
    """A member's account."""

    currency = "EUR"

    number: int
    name: str
    email: str = ""
    newsletter: bool = False
    role: str = "member"
    balance: int = 0
    password_hash: str = ""
    address: Address = field(default_factory=Address)
    settings: Settings = field(default_factory=Settings)
    sponsor: "Account | None" = None


def convert(old, text):
    """Return the text as a value of the same type as the old one."""
    if isinstance(old, bool):
        return text.strip().lower() in ("1", "on", "true", "yes")
    if isinstance(old, int):
        return int(text)
    return text.strip()


def assign(account, name, text):
    """Set the field of that name to the value in the text."""
    target = account
    *parents, last = name.split(".")
    try:
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, last, convert(getattr(target, last), text))
    except (AttributeError, TypeError, ValueError):
        raise ProfileError(f"the field {name!r} cannot be set") from None


def update(account, form):
    """Set the fields of a form, a dictionary of texts, and return the account."""
    if "@" not in form.get("email", "@"):
        raise ProfileError("this is no address for mail")
    for name, text in form.items():
        assign(account, name, text)
    return account


def import_rows(accounts, rows):
    """Set the fields of the accounts whose number a row names; return how many were found."""
    by_number = {account.number: account for account in accounts}
    found = 0
    for row in rows:
        account = by_number.get(int(row.get("number", "0")))
        if account is None:
            continue
        found += 1
        for name, text in row.items():
            if name != "number":
                assign(account, name, text)
    return found
