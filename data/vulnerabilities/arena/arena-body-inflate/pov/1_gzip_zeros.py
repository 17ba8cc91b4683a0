"""Eight kilobytes of gzip data occupy eight megabytes, eight times the limit."""

import gzip
import sys
import tracemalloc

from bodies import BodyError, decode_body

data = gzip.compress(bytes(8_000_000), mtime=0)
assert len(data) < 10_000

tracemalloc.start()
try:
    decode_body(data, "gzip")
except (BodyError, ValueError, MemoryError):
    pass
sys.exit(0 if tracemalloc.get_traced_memory()[1] > 6_000_000 else 1)
