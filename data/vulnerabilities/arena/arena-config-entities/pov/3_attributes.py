"""In the value of an attribute entities expand as well, without any event of text."""

import random
import string
import sys
import tracemalloc

from settings import SettingsError, read_settings

SEED = 0

rng = random.Random(SEED)
names = rng.sample([a + b for a in string.ascii_letters for b in string.ascii_letters], 7)
root, inner, key = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 8))) for _ in range(3))
leaf = "".join(rng.choices(string.digits, k=10))
declarations = f'<!ENTITY {names[0]} "{leaf}">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
document = f'<!DOCTYPE {root} [{declarations}]><{root}><{inner} {key}="&{names[-1]};"/></{root}>'.encode()

tracemalloc.start()
value = ""
try:
    value = read_settings(document).find(inner).attributes[key]
except (SettingsError, ValueError, AttributeError, LookupError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(len(value), peak) > 1_000_000 else 1)
