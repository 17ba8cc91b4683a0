"""The language reaches both a header and a cookie; nested breaks outlive a single replacement."""

import sys

from responder import choose_language

PAYLOADS = ("de\r\nX-Planted: 1", "de\nX-Planted: 1", "de\r\r\n\nX-Planted: 1", "de\n\r\nX-Planted: 1")

for payload in PAYLOADS:
    try:
        raw = choose_language(payload, "/").to_bytes()
    except ValueError:
        continue
    if any(line.strip(b"\r").startswith(b"X-Planted:") for line in raw.split(b"\n")):
        sys.exit(0)
sys.exit(1)
