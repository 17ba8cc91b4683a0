"""A token carries its claims until it expires."""

from tokens import TokenError, Tokens

now = [1000]
tokens = Tokens({"k1": b"secret"}, "k1", clock=lambda: now[0])
token = tokens.issue({"user": "Zoë", "roles": ["reader", "editor"]}, seconds=60)
claims = tokens.verify(token)
assert (claims["user"], claims["roles"]) == ("Zoë", ["reader", "editor"])
assert token.count(".") == 2
assert token.isascii()
now[0] = 1061
try:
    tokens.verify(token)
except TokenError as error:
    assert "expired" in str(error)
else:
    raise AssertionError("an expired token is accepted")
