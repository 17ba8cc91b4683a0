"""One long entity, used many times: no nesting at all."""

import random
import string
import sys
import tracemalloc

from settings import SettingsError, read_settings

SEED = 0

rng = random.Random(SEED)
name, root, inner = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8))) for _ in range(3))
declaration = f'<!ENTITY {name} "{rng.choice(string.ascii_letters) * rng.randint(15_000, 25_000)}">'
uses = f"&{name};" * rng.randint(150, 220)
document = f"<!DOCTYPE {root} [{declaration}]><{root}><{inner}>{uses}</{inner}></{root}>".encode()
assert len(document) < 64_000

tracemalloc.start()
text = ""
try:
    text = read_settings(document).value(inner)
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(len(text), peak) > 1_000_000 else 1)
