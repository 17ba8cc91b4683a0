"""Many gzip members of half a megabyte each, every one below the limit."""

import gzip
import random
import sys
import tracemalloc

from bodies import BodyError, decode_body

SEED = 0

rng = random.Random(SEED)
member = gzip.compress(rng.randbytes(1) * rng.randint(400_000, 600_000), mtime=rng.getrandbits(31))
data = member * rng.randint(18, 20)

tracemalloc.start()
try:
    decode_body(data, "gzip")
except (BodyError, ValueError, MemoryError):
    pass
sys.exit(0 if tracemalloc.get_traced_memory()[1] > 6_000_000 else 1)
