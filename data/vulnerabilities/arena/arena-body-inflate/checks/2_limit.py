"""A body of exactly the limit is accepted, well compressed or not; one byte more is status 413."""

import gzip
import random
import zlib

from bodies import MAX_BODY, BodyError, decode_body


def status(data, header=""):
    """Return the status of a refusal."""
    try:
        decode_body(data, header)
    except BodyError as error:
        return error.status
    return None


zeros = bytes(MAX_BODY)
assert decode_body(zeros) == zeros
assert decode_body(gzip.compress(zeros), "gzip") == zeros
assert decode_body(zlib.compress(zeros), "deflate") == zeros
assert decode_body(gzip.compress(zlib.compress(zeros)), "deflate, gzip") == zeros
mixed = random.Random(7).randbytes(400_000) + bytes(MAX_BODY - 400_000)
assert decode_body(gzip.compress(mixed), "gzip") == mixed
assert status(zeros + b"x") == 413
assert status(gzip.compress(zeros + b"x"), "gzip") == 413
assert status(zlib.compress(zeros + b"x"), "deflate") == 413
