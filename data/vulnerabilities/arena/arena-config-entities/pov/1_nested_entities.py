"""Seven entities, each made of the one before: less than a kilobyte becomes more than a megabyte of text."""

import random
import string
import sys
import tracemalloc

from settings import SettingsError, read_settings

SEED = 0

rng = random.Random(SEED)
names = rng.sample([a + b for a in string.ascii_letters for b in string.ascii_letters], 7)
root, inner = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8))) for _ in range(2))
leaf = "".join(rng.choices(string.digits, k=10))
declarations = f'<!ENTITY {names[0]} "{leaf}">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
document = f"<!DOCTYPE {root} [{declarations}]><{root}><{inner}>&{names[-1]};</{inner}></{root}>".encode()
assert len(document) < 1000

tracemalloc.start()
tracemalloc.reset_peak()
before, _ = tracemalloc.get_traced_memory()
text = ""
try:
    text = read_settings(document).value(inner)
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1] - before
sys.exit(0 if max(len(text), peak) > 1_000_000 else 1)
