"""Other headers may repeat, hold colons and commas, and come with blanks around the value."""

from wire import requests

stream = (
    b"GET / HTTP/1.1\r\nAccept: text/html, */*\r\nX-Tag: one\r\nX-Tag: two\r\n"
    b"Referer:http://a:80/b\r\nX-Length: +5\r\nX-Empty:\r\n\r\n"
)
(request,) = requests(stream)
assert request.headers["accept"] == "text/html, */*"
assert request.headers["referer"] == "http://a:80/b"
assert request.headers["x-tag"].endswith("two")
assert request.headers["x-empty"] == ""
