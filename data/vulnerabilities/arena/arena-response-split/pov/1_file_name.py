"""The name of a download carries a header of its own."""

import random
import string
import sys

SEED = 0

rng = random.Random(SEED)
stem, header, value, end = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(4))
header = rng.choice(("Set-Cookie", "Refresh", f"X-{header}", header))

# act
from responder import download

try:
    raw = download(f'{stem}.pdf"\r\n{header}: {value}', rng.randbytes(3)).to_bytes()
except ValueError:
    raw = b""
print(raw.hex(), end)

# judge
answer, said = OUTPUT.split(" ")
assert said.strip() == end
head = bytes.fromhex(answer).partition(b"\r\n\r\n")[0].decode("utf-8")
sys.exit(0 if any(line.startswith(f"{header}:") for line in head.splitlines()) else 1)
