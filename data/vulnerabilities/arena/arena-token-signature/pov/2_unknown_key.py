"""A key id that nobody knows stands for the empty key, with which everybody can sign."""

import base64
import hashlib
import hmac
import json
import random
import string
import sys

from tokens import Tokens

SEED = 0


def part(raw):
    """Return bytes as part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


rng = random.Random(SEED)
kid, other, key, user = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(4))
now = rng.randint(1000, 1_900_000_000)
tokens = Tokens({kid: rng.randbytes(16)}, kid, clock=lambda: now)
for header in (
    {"alg": "HS256", "kid": other},
    {"alg": "HS512", "kid": ""},
    {"alg": f"{other}256", "kid": other},
):
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps({key: user, 'exp': now + 99}).encode())}"
    for algorithm in (hashlib.sha256, hashlib.sha512):
        signature = hmac.new(b"", signed.encode(), algorithm).digest()
        try:
            if tokens.verify(f"{signed}.{part(signature)}").get(key) == user:
                sys.exit(0)
        except (ValueError, LookupError, PermissionError):
            continue
sys.exit(1)
