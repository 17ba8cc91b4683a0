"""The name of a download carries a header of its own."""

import random
import string
import sys

from responder import download

SEED = 0

rng = random.Random(SEED)
stem, header, value = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
header = rng.choice(("Set-Cookie", "Refresh", f"X-{header}", header))
try:
    raw = download(f'{stem}.pdf"\r\n{header}: {value}', rng.randbytes(3)).to_bytes()
except ValueError:
    sys.exit(1)
head = raw.partition(b"\r\n\r\n")[0].decode("utf-8")
sys.exit(0 if any(line.startswith(f"{header}:") for line in head.splitlines()) else 1)
