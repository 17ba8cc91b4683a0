"""Requests with and without body follow each other on one connection."""

from wire import requests

stream = (
    b"GET /a?x=1 HTTP/1.1\r\nHost: a\r\nAccept:text/html\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHOST: a\r\nContent-Length: 11\r\n\r\nhello world"
    b"PUT /c HTTP/1.0\r\ncontent-length:  0007 \r\n\r\n\r\n\r\n\r\nx"
    b"DELETE /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
)
found = list(requests(stream))
assert [(request.method, request.path, request.body) for request in found] == [
    ("GET", "/a?x=1", b""),
    ("POST", "/b", b"hello world"),
    ("PUT", "/c", b"\r\n\r\n\r\nx"),
    ("DELETE", "/d", b""),
]
assert found[0].headers == {"host": "a", "accept": "text/html"}
assert list(requests(b"")) == []
