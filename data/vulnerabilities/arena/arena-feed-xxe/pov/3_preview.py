"""The preview has a parser of its own."""

import random
import string
import sys
from pathlib import Path

from feeds import FeedError, preview

SEED = 0

rng = random.Random(SEED)
name, entity, words = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
secret = Path(name).absolute()
secret.write_text(words, encoding="utf-8")
document = f"""<!DOCTYPE feed [<!ENTITY {entity} SYSTEM "{secret}">]>
<feed><title>&{entity};</title></feed>"""
try:
    title = preview(document.encode())
except (FeedError, ValueError, OSError):
    sys.exit(1)
sys.exit(0 if words in title else 1)
