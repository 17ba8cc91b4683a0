"""A cookie set directly takes the same way, by its value and by its name."""

import random
import string
import sys

from responder import Response

SEED = 0

rng = random.Random(SEED)
cookie, header, text = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
for name, value in ((cookie, f"{text}\r\n{header}: 1"), (f"{cookie}\r\n{header}", f": {text}")):
    try:
        response = Response()
        response.set_cookie(name, value)
        raw = response.to_bytes()
    except ValueError:
        continue
    if any(line.startswith(header.encode()) for line in raw.split(b"\n")):
        sys.exit(0)
sys.exit(1)
