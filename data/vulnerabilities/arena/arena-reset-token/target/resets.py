"""Tokens that let a member set a new password."""

import random
import time
from dataclasses import dataclass

LIFETIME_SECONDS = 1800
MAX_OPEN = 3
TOKEN_BITS = 128


class ResetError(ValueError):
    """A request or token that is not accepted."""


@dataclass(frozen=True)
class Ticket:
    """An open request for a new password."""

    email: str
    until: float


class Resets:
    """Open requests by their token."""

    def __init__(self, clock=time.time):
        self._clock = clock
        self._tickets = {}
        self._generator = random.Random(int(clock()))

    def _new_token(self):
        while True:
            token = f"{self._generator.getrandbits(TOKEN_BITS):0{TOKEN_BITS // 4}x}"
            if token not in self._tickets:
                return token

    def _drop_expired(self):
        now = self._clock()
        self._tickets = {token: ticket for token, ticket in self._tickets.items() if ticket.until >= now}

    def request(self, email):
        """Return a token for the member with this address."""
        self._drop_expired()
        email = email.strip().lower()
        if "@" not in email:
            raise ResetError(f"not an address: {email!r}")
        if sum(ticket.email == email for ticket in self._tickets.values()) >= MAX_OPEN:
            raise ResetError("there are open requests for this address")
        token = self._new_token()
        self._tickets[token] = Ticket(email, self._clock() + LIFETIME_SECONDS)
        return token

    def redeem(self, token):
        """Return the address for a token and use the token up."""
        self._drop_expired()
        ticket = self._tickets.pop(token, None)
        if ticket is None:
            raise ResetError("the token is unknown or has expired")
        return ticket.email

    def link(self, token):
        """Return the address of the page that asks for the new password."""
        return f"https://members.example/reset?token={token}"
