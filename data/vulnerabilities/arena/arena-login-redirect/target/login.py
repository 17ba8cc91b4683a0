"""The login form of the shop."""

import hashlib
import hmac
from dataclasses import dataclass, field

HOST = "shop.example"
ITERATIONS = 100


@dataclass
class Response:
    """An answer on its way to the browser."""

    status: int
    headers: dict = field(default_factory=dict)
    body: str = ""


class Accounts:
    """Names and password hashes."""

    def __init__(self):
        self._hashes = {}

    def add(self, name, password):
        """Register an account."""
        self._hashes[name] = self._hash(name, password)

    def accepts(self, name, password):
        """Tell whether the password is the account's."""
        expected = self._hashes.get(name, b"")
        return hmac.compare_digest(expected, self._hash(name, password))

    @staticmethod
    def _hash(name, password):
        return hashlib.pbkdf2_hmac("sha256", password.encode(), name.encode(), ITERATIONS)


def next_page(form):
    """Return where to go after the login."""
    target = form.get("next", "").strip()
    if not target:
        return "/"
    if target.startswith("/") or HOST in target:
        return target
    return "/"


def login(accounts, form):
    """Answer a submitted login form."""
    name = form.get("name", "")
    if not accounts.accepts(name, form.get("password", "")):
        return Response(401, {"Content-Type": "text/plain"}, "wrong name or password")
    headers = {"Location": next_page(form), "Set-Cookie": f"user={name}; HttpOnly; Secure"}
    return Response(303, headers)
