"""One long entity, used many times: no nesting at all."""

import sys
import tracemalloc

from settings import SettingsError, read_settings

declaration = f'<!ENTITY a "{"x" * 20_000}">'
document = f"<!DOCTYPE s [{declaration}]><s><t>{'&a;' * 200}</t></s>".encode()
assert len(document) < 64_000

tracemalloc.start()
text = ""
try:
    text = read_settings(document).value("t")
except (SettingsError, ValueError):
    pass
peak = tracemalloc.get_traced_memory()[1]
sys.exit(0 if max(len(text), peak) > 1_000_000 else 1)
