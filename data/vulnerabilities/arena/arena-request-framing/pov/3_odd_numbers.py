"""int() reads signs, underscores and blanks that a proxy does not: such lengths are taken for real ones."""

import random
import string
import sys

from wire import BadRequest, requests

SEED = 0

rng = random.Random(SEED)
form = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))).encode()
body = "".join(rng.choices(string.ascii_letters, k=16)).encode()
for length in (b"+16", b"1_6", b"-0", b"0x10"):
    try:
        found = list(
            requests(b"POST /" + form + b" HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n" + body)
        )
    except (BadRequest, ValueError):
        continue
    if found:
        sys.exit(0)
for size in (b"0x10", b"+10", b"1_0", b" 10", b"-0"):
    head = b"POST /" + form + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    try:
        found = list(requests(head + size + b"\r\n" + body + b"\r\n0\r\n\r\n"))
    except (BadRequest, ValueError):
        continue
    if any(request.body == body for request in found):
        sys.exit(0)
sys.exit(1)
