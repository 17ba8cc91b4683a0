"""The query of a redirect ends the head and brings a page along."""

import random
import string
import sys

from responder import redirect

SEED = 0

rng = random.Random(SEED)
path, key, call = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
page = rng.choice(("<script>{}()</script>", "<h1>{}</h1>", "<body onload={}()>")).format(call)
try:
    raw = redirect(f"/{path}", f"{key}=1\r\nContent-Length: {len(page)}\r\n\r\n{page}").to_bytes()
except ValueError:
    sys.exit(1)
body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
sys.exit(0 if body.startswith(page.encode()) else 1)
