"""A line feed alone ends a line for most recipients."""

import sys

from responder import download

try:
    raw = download('plan.pdf"\nSet-Cookie: session=stolen\nX: "', b"pdf").to_bytes()
except ValueError:
    sys.exit(1)
lines = raw.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"\n").split(b"\n")
sys.exit(0 if any(line.startswith(b"Set-Cookie:") for line in lines) else 1)
