"""In UTF-16, and spread over many sections, the same entities multiply."""

import sys
import tracemalloc

from settings import SettingsError, read_settings

names = "abcdef"
declarations = '<!ENTITY a "0123456789">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
sections = "<t>&f;</t>" * 8
document = f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE s [{declarations}]><s>{sections}</s>'
content = document.encode("utf-16")

tracemalloc.start()
length = 0
try:
    length = sum(len(section.text) for section in read_settings(content).sections)
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(length, peak) > 1_000_000 else 1)
