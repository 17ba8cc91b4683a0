"""str.strip takes away more than blanks and tabs: what a proxy does not take for a length or a coding becomes one."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
path, form, host = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(3))
smuggled = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
control, wide = rng.choice("\x0b\x0c\x1c\x1d\x1e\x1f"), rng.choice("\x85\xa0")
for odd in (control, wide, control + wide):
    for headers, body in (
        (f"Content-Length: {len(smuggled)}\r\nContent-Length{odd}: 0\r\n", ""),
        (f"Content-Length: {len(smuggled)}\r\n{odd}Content-Length: 0\r\n", ""),
        (f"Transfer-Encoding{odd}: chunked\r\n", "0\r\n\r\n"),
        (f"Transfer-Encoding: {odd}chunked\r\n", "0\r\n\r\n"),
        (f"Transfer-Encoding: chunked{odd}\r\n", "0\r\n\r\n"),
        (f"Content-Length: 5{odd}\r\n", "0\r\n\r\n"),
        (f"Content-Length: {odd}5\r\n", "0\r\n\r\n"),
    ):
        head = f"POST /{form} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
        try:
            for request in requests(f"{head}{body}{smuggled}".encode("latin-1")):
                if request.path == f"/{path}":
                    sys.exit(0)
        except (BadRequest, ValueError):
            continue
sys.exit(1)
