"""A name that merely contains chunked is no coding; to read it as chunked parts from the proxy."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
path, form, host = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
smuggled = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
for coding in (f"{rng.choice(string.ascii_letters)}chunked", '"chunked"', "chunked, identity"):
    head = f"POST /{form} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: {coding}\r\n\r\n"
    try:
        for request in requests(f"{head}0\r\n\r\n{smuggled}".encode()):
            if request.path == f"/{path}":
                sys.exit(0)
    except (BadRequest, ValueError):
        continue
sys.exit(1)
