"""The name of a download carries a header of its own."""

import sys

from responder import download

try:
    raw = download('plan.pdf"\r\nSet-Cookie: session=stolen', b"pdf").to_bytes()
except ValueError:
    sys.exit(1)
head = raw.partition(b"\r\n\r\n")[0].decode("utf-8")
sys.exit(0 if any(line.startswith("Set-Cookie:") for line in head.splitlines()) else 1)
