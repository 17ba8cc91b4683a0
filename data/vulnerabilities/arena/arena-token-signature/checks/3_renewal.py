"""A token is renewed also within the hour after it expired; later it is not.

Claims that the token did not carry are not added, and the lifetime is the one asked for.
"""

from tokens import TokenError, Tokens

now = [1000]
tokens = Tokens({"k1": b"secret"}, "k1", clock=lambda: now[0])
token = tokens.issue({"user": "ana", "level": 3}, seconds=60)
now[0] = 1050
assert tokens.verify(tokens.renew(token))["level"] == 3
now[0] = 4000
renewed = tokens.renew(token, seconds=100)
claims = tokens.verify(renewed)
assert (claims["user"], claims["level"], claims["exp"]) == ("ana", 3, 4100)
now[0] = 5000
try:
    tokens.renew(token)
except TokenError as error:
    assert "long ago" in str(error)
else:
    raise AssertionError("a token is renewed after more than an hour")
plain = tokens.issue({}, seconds=1)
assert tokens.verify(plain) == {"exp": 5001}
assert tokens.verify(tokens.renew(plain)) == {"exp": 5600}
