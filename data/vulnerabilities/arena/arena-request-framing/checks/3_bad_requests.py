"""What is broken, empty or too long raises BadRequest, behind the requests before it."""

from wire import BadRequest, requests

for stream in (
    b"GET /\r\n\r\n",
    b"GET / HTTP/3\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\nabc",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5_000 + b"\r\nabc",
):
    found = []
    try:
        for request in requests(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" + stream):
            found.append((request.path, request.body))
    except BadRequest:
        assert found == [("/a", b"hi")], stream
        continue
    raise AssertionError(stream)
