"""An entity with a path brings a file of the server into the title."""

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
document = f"""<!DOCTYPE feed [<!ENTITY {entity} SYSTEM "{secret}">]>
<feed><title>&{entity};</title></feed>"""
try:
    title = read_feed(document.encode()).title
except (FeedError, ValueError, OSError):
    sys.exit(1)
sys.exit(0 if words in title else 1)
