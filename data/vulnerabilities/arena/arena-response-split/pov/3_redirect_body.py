"""The query of a redirect ends the head and brings a page along."""

import sys

from responder import redirect

PAGE = "<script>steal()</script>"

try:
    raw = redirect("/search", f"q=1\r\nContent-Length: {len(PAGE)}\r\n\r\n{PAGE}").to_bytes()
except ValueError:
    sys.exit(1)
body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
sys.exit(0 if body.startswith(PAGE.encode()) else 1)
