"""The count of a list wraps at 256: of 257 blocked names one arrives."""

import random
import string
import struct
import sys

from frames import FrameError, list_frame, read_frames, read_list

SEED = 0

rng = random.Random(SEED)
stem = "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9)))
for count in (256, 257, 512, rng.randint(258, 700)):
    blocked = [f"{stem}{number}" for number in range(count)]
    try:
        entries = [entry for found in read_frames(list_frame(blocked)) for entry in read_list(found.payload)]
    except (FrameError, ValueError, OverflowError, struct.error):
        continue
    if entries != blocked:
        sys.exit(0)
sys.exit(1)
