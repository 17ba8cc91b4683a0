"""Seven entities, each made of the one before: 700 bytes become a megabyte of text."""

import sys
import tracemalloc

from settings import SettingsError, read_settings

names = "abcdefg"
declarations = '<!ENTITY a "0123456789">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
document = f"<!DOCTYPE s [{declarations}]><s><t>&g;</t></s>".encode()
assert len(document) < 1000

tracemalloc.start()
text = ""
try:
    text = read_settings(document).value("t")
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(len(text), peak) > 1_000_000 else 1)
