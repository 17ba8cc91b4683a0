"""A token with the algorithm none needs no signature."""

import base64
import json
import random
import string
import sys

from tokens import Tokens

SEED = 0


def part(value):
    """Return a dictionary as part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


rng = random.Random(SEED)
kid, key, user = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
now = rng.randint(1000, 1_900_000_000)
tokens = Tokens({kid: rng.randbytes(16)}, kid, clock=lambda: now)
forged = f"{part({'alg': 'none'})}.{part({key: user, 'exp': now + 99})}."
try:
    claims = tokens.verify(forged)
except (ValueError, LookupError, PermissionError):
    sys.exit(1)
sys.exit(0 if claims.get(key) == user else 1)
