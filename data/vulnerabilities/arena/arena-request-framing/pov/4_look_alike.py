"""xchunked is no coding that anyone knows; reading it as chunked parts from the proxy."""

import sys

from wire import BadRequest, requests

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
for header in (
    b"Transfer-Encoding: xchunked",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked, identity",
):
    stream = b"POST /form HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n0\r\n\r\n" + SMUGGLED
    try:
        for request in requests(stream):
            if request.path == "/admin":
                sys.exit(0)
    except (BadRequest, ValueError):
        continue
sys.exit(1)
