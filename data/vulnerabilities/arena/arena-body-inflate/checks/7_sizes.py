"""A body of any size within the limit comes back whole, however many pieces it takes."""

import gzip
import zlib

from bodies import decode_body

for size in (1, 1023, 4097, 16_385, 32_769, 65_535, 65_536, 65_537, 131_073, 262_145, 524_289):
    for content in (bytes(size), b"ab" * (size // 2)):
        assert decode_body(gzip.compress(content), "gzip") == content, size
        assert decode_body(zlib.compress(content), "deflate") == content, size
        assert decode_body(zlib.compress(content)[2:-4], "deflate") == content, size
