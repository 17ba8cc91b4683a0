"""The language reaches both a header and a cookie; nested breaks outlive a single replacement."""

import random
import string
import sys

from responder import choose_language

SEED = 0

rng = random.Random(SEED)
language, header, value = ("".join(rng.choices(string.ascii_letters, k=rng.randint(2, 9))) for _ in range(3))
for line_break in ("\r\n", "\n", "\r\r\n\n", "\n\r\n"):
    try:
        raw = choose_language(f"{language}{line_break}X-{header}: {value}", "/").to_bytes()
    except ValueError:
        continue
    if any(line.strip(b"\r").startswith(f"X-{header}:".encode()) for line in raw.split(b"\n")):
        sys.exit(0)
sys.exit(1)
