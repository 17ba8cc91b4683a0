"""A redirect quotes the path and passes the query on."""

from responder import redirect

raw = redirect("/café menu", "page=2&sort=name%20asc").to_bytes().decode("ascii")
lines = raw.split("\r\n")
assert lines[0] == "HTTP/1.1 303 See Other"
assert "Location: /caf%C3%A9%20menu?page=2&sort=name%20asc" in lines
assert "Location: /" in redirect("/").to_bytes().decode("ascii").split("\r\n")
assert raw.endswith("Content-Length: 0\r\n\r\n")
