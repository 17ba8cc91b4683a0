"""An entity with a path brings a file of the server into the title."""

import sys
from pathlib import Path

from feeds import FeedError, read_feed

secret = Path("secret.txt").absolute()
secret.write_text("s3cret-words", encoding="utf-8")
document = f"""<!DOCTYPE feed [<!ENTITY x SYSTEM "{secret}">]>
<feed><title>&x;</title></feed>"""
try:
    title = read_feed(document.encode()).title
except (FeedError, ValueError, OSError):
    sys.exit(1)
sys.exit(0 if "s3cret-words" in title else 1)
