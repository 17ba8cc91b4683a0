"""Every longer payload wraps: the command may stand behind any number of bytes."""

import random
import string
import struct
import sys

from frames import COMMAND, FrameError, command_frame, frame, read_frames

SEED = 0

rng = random.Random(SEED)
name, argument, kind, filler = (
    "".join(rng.choices(string.ascii_letters, k=k)).encode() for k in (rng.randint(4, 9), 7, 1, 1)
)
hidden = command_frame(name.decode(), argument.decode())

leads = ((0, 1), (1, 1), (rng.randint(300, 60_000), 1), (5, 2), (65_535, 1), (65_534, 1), (65_535, 0))
for lead, turns in leads:
    payload = filler * lead + hidden
    payload += filler * (turns * 65_536 + lead - len(payload))
    try:
        for found in read_frames(frame(kind, payload)):
            if found.kind == COMMAND and found.payload == name + b" " + argument:
                sys.exit(0)
    except (FrameError, ValueError, OverflowError, struct.error):
        continue
sys.exit(1)
