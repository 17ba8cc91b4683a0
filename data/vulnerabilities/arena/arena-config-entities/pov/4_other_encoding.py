"""In UTF-16, and spread over many sections, the same entities multiply."""

import random
import string
import sys
import tracemalloc

from settings import SettingsError, read_settings

SEED = 0

rng = random.Random(SEED)
names = rng.sample([a + b for a in string.ascii_letters for b in string.ascii_letters], 6)
root, inner = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8))) for _ in range(2))
leaf = "".join(rng.choices(string.digits, k=10))
declarations = f'<!ENTITY {names[0]} "{leaf}">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
sections = f"<{inner}>&{names[-1]};</{inner}>" * 8
document = (
    f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE {root} [{declarations}]><{root}>{sections}</{root}>'
)
content = document.encode("utf-16")

tracemalloc.start()
length = 0
try:
    length = sum(len(section.text) for section in read_settings(content).sections)
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(length, peak) > 1_000_000 else 1)
