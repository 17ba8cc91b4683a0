"""Broken or cut data is status 400, an unknown coding 415."""

import gzip
import zlib

from bodies import BodyError, decode_body


def status(data, header):
    """Return the status of a refusal."""
    try:
        decode_body(data, header)
    except BodyError as error:
        return error.status
    return None


whole = gzip.compress(b"hello " * 100)
assert status(whole[:-10], "gzip") == 400
assert status(whole[:12], "gzip") == 400
assert status(b"no gzip at all", "gzip") == 400
assert status(whole[:-8] + b"\0" * 8, "gzip") == 400
assert status(zlib.compress(b"hello " * 100)[:-6], "deflate") == 400
assert status(b"\xff\xff\xff", "deflate") == 400
assert status(zlib.compress(b"hello " * 100)[2:-7], "deflate") == 400
assert status(b"", "deflate") == 400
assert status(b"x", "br") == 415
assert status(b"x", "gzip,gzip,gzip,gzip") == 415
