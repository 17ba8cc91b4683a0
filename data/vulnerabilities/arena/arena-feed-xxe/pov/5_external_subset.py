"""The document type names a file with declarations: an external subset, or a parameter entity."""

import random
import string
import sys
from pathlib import Path

from feeds import FeedError, read_feed

SEED = 0

rng = random.Random(SEED)
name, entity, parameter, words = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(4)
)
declarations = Path(name).absolute()
declarations.write_text(f'<!ENTITY {entity} "{words}">', encoding="utf-8")
for doctype in (
    f'<!DOCTYPE feed SYSTEM "{declarations}">',
    f'<!DOCTYPE feed [<!ENTITY % {parameter} SYSTEM "{declarations}"> %{parameter};]>',
):
    try:
        feed = read_feed(f"{doctype}<feed><title>&{entity};</title></feed>".encode())
    except (FeedError, ValueError, OSError):
        continue
    if words in feed.title:
        sys.exit(0)
sys.exit(1)
