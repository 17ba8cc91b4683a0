"""In UTF-16 the words of the declaration are other bytes."""

import sys
from pathlib import Path

from feeds import FeedError, preview, read_feed

secret = Path("secret.txt").absolute()
secret.write_text("s3cret-words", encoding="utf-8")
document = f"""<?xml version="1.0" encoding="utf-16"?>
<!DOCTYPE feed [<!ENTITY x SYSTEM "{secret}">]>
<feed><title>&x;</title></feed>"""
titles = []
try:
    titles.append(read_feed(document.encode("utf-16")).title)
except (FeedError, ValueError, OSError):
    titles.append("")
try:
    titles.append(preview(document.encode("utf-16")))
except (FeedError, ValueError, OSError):
    titles.append("")
sys.exit(0 if any("s3cret-words" in title for title in titles) else 1)
