"""The proxy forwards one chunked request; the parser believes the length and finds a second one inside."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
path, form, host = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
method = rng.choice(("POST", "PUT", "PATCH"))
smuggled = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
first_line = f"{len(smuggled):x}\r\n"
length, coding = f"Content-Length: {len(first_line)}\r\n", "Transfer-Encoding: chunked\r\n"
for headers in (length + coding, coding + length):
    head = f"{method} /{form} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
    stream = f"{head}{first_line}{smuggled}\r\n0\r\n\r\n".encode()
    try:
        for request in requests(stream):
            if request.path == f"/{path}":
                sys.exit(0)
    except (BadRequest, ValueError):
        continue
sys.exit(1)
