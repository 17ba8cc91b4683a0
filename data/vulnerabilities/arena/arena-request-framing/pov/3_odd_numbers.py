"""int() reads signs, underscores and blanks that a proxy does not: such lengths are taken for real ones."""

import sys

from wire import BadRequest, requests

BODY = b"0123456789abcdef"
for length in (b"+16", b"1_6", b"-0", b"0x10"):
    try:
        found = list(requests(b"POST /form HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n" + BODY))
    except (BadRequest, ValueError):
        continue
    if found:
        sys.exit(0)
for size in (b"0x10", b"+10", b"1_0", b" 10", b"-0"):
    chunks = size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
    try:
        found = list(requests(b"POST /form HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    except (BadRequest, ValueError):
        continue
    if any(request.body == BODY for request in found):
        sys.exit(0)
sys.exit(1)
