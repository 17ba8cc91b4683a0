"""Two different lengths: whichever of them the parser takes, the proxy may have taken the other."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
path, form, host = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
smuggled = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
for lengths in ((len(smuggled), 0), (0, len(smuggled))):
    for lead in ("", "\t"):
        headers = "".join(f"{lead}Content-Length: {length}\r\n" for length in lengths)
        stream = f"POST /{form} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n{smuggled}".encode()
        try:
            for request in requests(stream):
                if request.path == f"/{path}":
                    sys.exit(0)
        except (BadRequest, ValueError):
            continue
sys.exit(1)
