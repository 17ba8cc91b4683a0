"""Gzip data of several members is one body."""

import gzip

from bodies import decode_body

members = [b"first,", b"", b"second,", bytes(100_000), b"last"]
data = b"".join(gzip.compress(member) for member in members)
assert decode_body(data, "gzip") == b"".join(members)
