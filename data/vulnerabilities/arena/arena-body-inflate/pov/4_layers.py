"""The large body is the inner of two layers, in any mixture of codings, or claims to be short at its end."""

import gzip
import random
import sys
import tracemalloc
import zlib

from bodies import BodyError, decode_body

SEED = 0

rng = random.Random(SEED)
zeros = rng.randbytes(1) * rng.randint(7_500_000, 9_000_000)
inner = gzip.compress(zeros, mtime=0)
claims_few_bytes = inner[:-4] + rng.randint(1, 1000).to_bytes(4, "little")
uploads = (
    (gzip.compress(inner, mtime=0), "gzip, gzip"),
    (zlib.compress(inner), "gzip, deflate"),
    (gzip.compress(zlib.compress(zeros), mtime=0), "deflate, x-gzip"),
    (claims_few_bytes, "gzip"),
)
del zeros
peaks = []
for data, header in uploads:
    tracemalloc.start()
    try:
        decode_body(data, header)
    except (BodyError, ValueError, MemoryError):
        pass
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
sys.exit(0 if max(peaks) > 6_000_000 else 1)
