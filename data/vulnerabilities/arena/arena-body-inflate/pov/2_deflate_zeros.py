"""Deflate does the same, with and without the header of zlib."""

import sys
import tracemalloc
import zlib

from bodies import BodyError, decode_body

wrapped = zlib.compress(bytes(8_000_000))
peaks = []
for data in (wrapped, wrapped[2:-4]):
    tracemalloc.start()
    try:
        decode_body(data, "Deflate")
    except (BodyError, ValueError, MemoryError):
        pass
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
sys.exit(0 if max(peaks) > 6_000_000 else 1)
