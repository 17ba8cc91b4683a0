"""Without or with an odd algorithm, and with cut or empty signatures, a forged token stays forged."""

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
kid, other, key, user, eve = (
    "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(5)
)
now = rng.randint(1000, 1_900_000_000)
tokens = Tokens({kid: rng.randbytes(16)}, kid, clock=lambda: now)
payload = part({key: user, "exp": now + 99})
genuine = tokens.issue({key: eve})
for algorithm in ("none", "None", "NONE", "nOnE", "", None, " none", "HS256"):
    for signature in ("", genuine.split(".")[2][:4], genuine.split(".")[2]):
        for hint in ({"kid": kid}, {"kid": other}, {}):
            try:
                claims = tokens.verify(f"{part({'alg': algorithm, **hint})}.{payload}.{signature}")
            except (ValueError, LookupError, PermissionError):
                continue
            if claims.get(key) == user:
                sys.exit(0)
sys.exit(1)
