"""Bodies in each coding, in two of them, and in none come back as they were."""

import gzip
import random
import zlib

from bodies import decode_body

noise = random.Random(7).randbytes(70_000)
for content in (b"", b"hello", noise, bytes(300_000)):
    assert decode_body(content) == content
    assert decode_body(content, "identity") == content
    assert decode_body(gzip.compress(content), "gzip") == content
    assert decode_body(gzip.compress(content), " X-GZIP ") == content
    assert decode_body(zlib.compress(content), "deflate") == content
    assert decode_body(zlib.compress(content)[2:-4], "deflate") == content
    assert decode_body(gzip.compress(zlib.compress(content)), "deflate, gzip") == content
    assert decode_body(zlib.compress(gzip.compress(content)), "identity,gzip,deflate") == content
