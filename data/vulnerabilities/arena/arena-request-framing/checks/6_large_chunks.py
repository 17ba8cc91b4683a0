"""A body of several large chunks is taken whole."""

import random

from wire import requests

SEED = 0

rng = random.Random(SEED)
parts = [rng.randbytes(rng.randint(500_000, 700_000)) for _ in range(3)]
chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
stream = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
(request,) = requests(stream)
assert request.body == b"".join(parts)
