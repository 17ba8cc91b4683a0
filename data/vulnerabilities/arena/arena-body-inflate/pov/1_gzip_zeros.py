"""Eight kilobytes of gzip data occupy about eight megabytes, eight times the limit."""

import gzip
import random
import sys
import tracemalloc

from bodies import BodyError, decode_body

SEED = 0

rng = random.Random(SEED)
data = gzip.compress(rng.randbytes(1) * rng.randint(7_500_000, 9_000_000), mtime=rng.getrandbits(31))
assert len(data) < 12_000

tracemalloc.start()
tracemalloc.reset_peak()
before, _ = tracemalloc.get_traced_memory()
try:
    decode_body(data, "gzip")
except (BodyError, ValueError, MemoryError):
    pass
sys.exit(0 if tracemalloc.get_traced_memory()[1] - before > 6_000_000 else 1)
