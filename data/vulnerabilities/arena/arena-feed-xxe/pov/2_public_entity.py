"""PUBLIC instead of SYSTEM, an address of the scheme file:, and an element of an entry."""

import random
import string
import sys
from pathlib import Path

from feeds import FeedError, read_feed

SEED = 0

rng = random.Random(SEED)
name, entity, words = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
secret = Path(name).absolute()
secret.write_text(words, encoding="utf-8")
for declaration in (
    f'PUBLIC "-//{entity}//B" "{secret}"',
    f'SYSTEM "file://{secret}"',
    f"\n  SYSTEM\n  '{secret}'",
):
    doctype = f"<!DOCTYPE feed [<!ENTITY {entity} {declaration}>]>"
    document = f"{doctype}<feed><entry><link>&{entity};</link></entry></feed>"
    try:
        feed = read_feed(document.encode())
    except (FeedError, ValueError, OSError):
        continue
    if any(words in entry.link for entry in feed.entries):
        sys.exit(0)
sys.exit(1)
