"""The length of an entry wraps at 256: one name becomes several entries of a list."""

import random
import string
import struct
import sys

from frames import FrameError, list_frame, read_frames, read_list

SEED = 0

rng = random.Random(SEED)
planted, other = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
name = chr(len(planted)) + planted
name += rng.choice(string.ascii_letters) * (256 - len(name))
try:
    (found,) = read_frames(list_frame([name, other]))
    entries = read_list(found.payload)
except (FrameError, ValueError, OverflowError, struct.error):
    sys.exit(1)
sys.exit(0 if planted in entries else 1)
