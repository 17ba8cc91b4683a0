"""A payload may be any buffer of bytes, so that a part of one goes on without a copy."""

import random

from frames import Frame, frame, read_frames

SEED = 0

data = random.Random(SEED).randbytes(65_600)
for length in (0, 1, 255, 65_535):
    for payload in (data[:length], bytearray(data[:length]), memoryview(data)[:length]):
        whole = frame(b"B", payload)
        assert list(read_frames(whole)) == [Frame(b"B", data[:length])], (length, type(payload))
