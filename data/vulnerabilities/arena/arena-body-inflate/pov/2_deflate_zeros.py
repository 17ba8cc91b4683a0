"""Deflate does the same, with and without the header of zlib."""

import random
import sys
import tracemalloc
import zlib

from bodies import BodyError, decode_body

SEED = 0

rng = random.Random(SEED)
wrapped = zlib.compress(rng.randbytes(1) * rng.randint(7_500_000, 9_000_000), rng.randint(1, 9))
header = "".join(rng.choice((letter, letter.upper())) for letter in "deflate")
peaks = []
for data in (wrapped, wrapped[2:-4]):
    tracemalloc.start()
    try:
        decode_body(data, header)
    except (BodyError, ValueError, MemoryError):
        pass
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
sys.exit(0 if max(peaks) > 6_000_000 else 1)
