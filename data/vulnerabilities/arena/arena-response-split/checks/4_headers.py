"""Headers keep their order, repeat where added twice, and take numbers; cookies come once a name.

A response that carried a line break does not spoil the next one.
"""

from responder import Response

response = Response(body=b"ok")
response.add_header("Vary", "Cookie")
response.add_header("Link", "</a>; rel=next")
response.add_header("Link", "</b>; rel=prev")
response.add_header("Age", 30)
response.set_cookie("theme", "dark")
response.set_cookie("theme", "light")
lines = response.to_bytes().decode("ascii").split("\r\n")
assert lines == [
    "HTTP/1.1 200 OK",
    "Vary: Cookie",
    "Link: </a>; rel=next",
    "Link: </b>; rel=prev",
    "Age: 30",
    "Set-Cookie: theme=light; Path=/",
    "Content-Length: 2",
    "",
    "ok",
]
for name, value in (("X", "a\r\nb: c"), ("X", "a\nb: c")):
    try:
        broken = Response()
        broken.add_header(name, value)
        broken.set_cookie(name, value, max_age=5)
        broken.to_bytes()
    except ValueError:
        pass
    assert response.to_bytes().decode("ascii").split("\r\n") == lines
fresh = Response()
fresh.set_cookie("a", "b", max_age=0)
assert (
    fresh.to_bytes() == b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Max-Age=0; Path=/\r\nContent-Length: 0\r\n\r\n"
)
