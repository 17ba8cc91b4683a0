"""Headers keep their order, repeat where added twice, and take numbers; cookies come once a name."""

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
