"""In UTF-16 the words of the declaration are other bytes."""

import random
import string
import sys
from pathlib import Path

from feeds import FeedError, preview, read_feed

SEED = 0

rng = random.Random(SEED)
name, entity, words = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
secret = Path(name).absolute()
secret.write_text(words, encoding="utf-8")
document = f"""<?xml version="1.0" encoding="utf-16"?>
<!DOCTYPE feed [<!ENTITY {entity} SYSTEM "{secret}">]>
<feed><title>&{entity};</title></feed>"""
titles = []
try:
    titles.append(read_feed(document.encode("utf-16")).title)
except (FeedError, ValueError, OSError):
    titles.append("")
try:
    titles.append(preview(document.encode("utf-16")))
except (FeedError, ValueError, OSError):
    titles.append("")
sys.exit(0 if any(words in title for title in titles) else 1)
