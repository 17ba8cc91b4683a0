"""A line feed alone ends a line for most recipients."""

import random
import string
import sys

from responder import download

SEED = 0

rng = random.Random(SEED)
stem, header, value = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
header = rng.choice(("Set-Cookie", "Refresh", f"X-{header}", header))
try:
    raw = download(f'{stem}.pdf"\n{header}: {value}\nX: "', rng.randbytes(3)).to_bytes()
except ValueError:
    sys.exit(1)
lines = raw.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"\n").split(b"\n")
sys.exit(0 if any(line.startswith(f"{header}:".encode()) for line in lines) else 1)
