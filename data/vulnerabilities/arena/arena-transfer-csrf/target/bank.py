"""Web pages of a small bank."""

import secrets
from dataclasses import dataclass, field
from html import escape

HOST = "bank.example"

FORM = """<form method="post" action="/transfer">
<input name="to"><input name="cents">
<button>Send</button>
</form>"""


@dataclass
class Request:
    """What a browser sends; header names are in lower case."""

    method: str
    path: str
    headers: dict = field(default_factory=dict)
    cookies: dict = field(default_factory=dict)
    form: dict = field(default_factory=dict)


@dataclass
class Response:
    """What the browser gets."""

    status: int
    body: str = ""
    headers: dict = field(default_factory=dict)


class Bank:
    """Accounts, and the sessions of their owners."""

    def __init__(self, accounts):
        self.balances = dict(accounts)
        self._owners = {}

    def login(self, name):
        """Open a session for an owner whose password was checked."""
        session = secrets.token_urlsafe(16)
        self._owners[session] = name
        return Response(303, "", {"Location": "/", "Set-Cookie": f"session={session}; HttpOnly; Path=/"})

    def handle(self, request):
        """Answer a request."""
        owner = self._owners.get(request.cookies.get("session"))
        if owner is None:
            return Response(401, "please log in")
        route = (request.method, request.path)
        if route == ("GET", "/"):
            return self.overview(owner)
        if route == ("GET", "/form"):
            return self.form_page(owner)
        if route == ("POST", "/transfer"):
            return self.transfer(owner, request)
        if route == ("POST", "/close"):
            return self.close(owner)
        return Response(404, "nothing here")

    def overview(self, owner):
        """Show the balance and a button that closes the account."""
        balance = f"<p>{escape(owner)}: {self.balances[owner]} cents</p>"
        return Response(200, balance + '<form method="post" action="/close"><button>Close</button></form>')

    def form_page(self, owner):
        """Show the form for a transfer."""
        return Response(200, f"<h1>{escape(owner)}</h1>{FORM}")

    def transfer(self, owner, request):
        """Move money to another account."""
        to, cents = request.form.get("to", ""), request.form.get("cents", "")
        if to not in self.balances or not cents.isdecimal() or int(cents) > self.balances[owner]:
            return Response(400, "this transfer is not possible")
        self.balances[owner] -= int(cents)
        self.balances[to] += int(cents)
        return Response(303, "", {"Location": "/"})

    def close(self, owner):
        """Close the account of the owner; its money goes to the bank."""
        del self.balances[owner]
        self._owners = {session: name for session, name in self._owners.items() if name != owner}
        return Response(200, "good-bye")
