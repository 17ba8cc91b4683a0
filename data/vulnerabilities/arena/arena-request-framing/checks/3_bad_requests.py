"""Heads, lengths and chunks that are broken raise BadRequest."""

from wire import BadRequest, requests

for stream in (
    b"GET /\r\n\r\n",
    b"GET / HTTP/3\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
):
    try:
        list(requests(stream))
    except BadRequest:
        continue
    raise AssertionError(stream)
