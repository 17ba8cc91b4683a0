"""Two different lengths: whichever of them the parser takes, the proxy may have taken the other."""

import sys

from wire import BadRequest, requests

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
for lengths in ((len(SMUGGLED), 0), (0, len(SMUGGLED))):
    headers = b"".join(b"Content-Length: %d\r\n" % length for length in lengths)
    try:
        for request in requests(b"POST /form HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n" + SMUGGLED):
            if request.path == "/admin":
                sys.exit(0)
    except (BadRequest, ValueError):
        continue
sys.exit(1)
