"""A cookie set directly takes the same way, by its value and by its name."""

import sys

from responder import Response

for name, value in (("theme", "dark\r\nX-Planted: 1"), ("theme\r\nX-Planted", ": 1")):
    try:
        response = Response()
        response.set_cookie(name, value)
        raw = response.to_bytes()
    except ValueError:
        continue
    if any(line.startswith(b"X-Planted") for line in raw.split(b"\n")):
        sys.exit(0)
sys.exit(1)
