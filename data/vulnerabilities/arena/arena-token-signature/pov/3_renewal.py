"""Renewing an unsigned token turns it into a signed one."""

import base64
import json
import sys

from tokens import Tokens


def part(value):
    """Return a dictionary as part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


tokens = Tokens({"k1": b"a key of the server"}, "k1", clock=lambda: 1000)
payload = part({"user": "admin", "exp": 900})
for header, signature in (
    ({"alg": "HS256", "kid": "k1"}, "AAAA"),
    ({"alg": "HS256"}, ""),
    ({"alg": "none"}, ""),
):
    try:
        renewed = tokens.renew(f"{part(header)}.{payload}.{signature}")
        if tokens.verify(renewed).get("user") == "admin":
            sys.exit(0)
    except (ValueError, LookupError, PermissionError):
        continue
sys.exit(1)
