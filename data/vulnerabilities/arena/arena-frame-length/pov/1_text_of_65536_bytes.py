"""A chat text of 65536 bytes has the length 0: what follows the header is read as a command."""

import random
import string
import struct
import sys

from frames import COMMAND, FrameError, command_frame, read_frames, text_frame

SEED = 0

rng = random.Random(SEED)
name, argument = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(2))
hidden = command_frame(name, argument).decode()
text = hidden + rng.choice(string.ascii_letters) * (65536 - len(hidden))
try:
    for found in read_frames(text_frame(text)):
        if found.kind == COMMAND and found.payload == f"{name} {argument}".encode():
            sys.exit(0)
except (FrameError, ValueError, OverflowError, struct.error):
    pass
sys.exit(1)
