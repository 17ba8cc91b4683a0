"""33000 umlauts are fewer letters than the limit and more bytes: the length wraps as well."""

import random
import string
import struct
import sys

from frames import COMMAND, FrameError, command_frame, read_frames, text_frame

SEED = 0

rng = random.Random(SEED)
name, argument = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
umlaut, count = rng.choice("äöüß"), rng.randint(800, 1200)
hidden = command_frame(name, argument).decode()
text = umlaut * count + hidden
filler = 65_536 + 2 * count - len(text.encode())
text += umlaut * (filler // 2) + "x" * (filler % 2)
assert len(text) < 65_536
try:
    for found in read_frames(text_frame(text)):
        if found.kind == COMMAND and found.payload == f"{name} {argument}".encode():
            sys.exit(0)
except (FrameError, ValueError, OverflowError, struct.error):
    pass
sys.exit(1)
