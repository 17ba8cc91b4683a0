"""The headers or the cookies are given when the response is made."""

import random
import string
import sys

from responder import Response

SEED = 0

rng = random.Random(SEED)
name, header, text = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
value = f"{text}\r\n{header}: {text}"
for given in ({"headers": [(name, value)]}, {"cookies": {name: value}}):
    try:
        raw = Response(**given).to_bytes()
    except ValueError:
        continue
    if any(line.startswith(f"{header}:".encode()) for line in raw.split(b"\r\n")):
        sys.exit(0)
sys.exit(1)
