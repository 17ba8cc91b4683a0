"""Chunks are joined; sizes in either case, extensions and trailers are understood."""

from wire import requests

stream = (
    b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;name=value\r\n \r\n00a\r\n0123456789\r\n0\r\n\r\n"
    b"POST /b HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n"
    b"A\r\n0123456789\r\n000;last\r\nChecksum: 17\r\nX-Other: 2\r\n\r\n"
    b"GET /c HTTP/1.1\r\n\r\n"
)
found = [(request.path, request.body) for request in requests(stream)]
assert found == [("/a", b"hello 0123456789"), ("/b", b"0123456789"), ("/c", b"")]
