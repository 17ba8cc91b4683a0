"""In the value of an attribute entities expand as well, without any event of text."""

import sys
import tracemalloc

from settings import SettingsError, read_settings

names = "abcdefg"
declarations = '<!ENTITY a "0123456789">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 8}">' for before, name in zip(names, names[1:])
)
document = f'<!DOCTYPE s [{declarations}]><s><t v="&g;"/></s>'.encode()

tracemalloc.start()
value = ""
try:
    value = read_settings(document).find("t").attributes["v"]
except (SettingsError, ValueError, AttributeError, LookupError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(len(value), peak) > 1_000_000 else 1)
