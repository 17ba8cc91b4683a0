"""Every longer payload wraps: the command may stand behind any number of bytes."""

import struct
import sys

from frames import COMMAND, FrameError, command_frame, frame, read_frames

HIDDEN = command_frame("grant", "eve admin")

for lead, turns in ((0, 1), (1, 1), (40_000, 1), (5, 2), (65_535, 1), (65_534, 1), (65_535, 0)):
    payload = b"x" * lead + HIDDEN
    payload += b"x" * (turns * 65_536 + lead - len(payload))
    try:
        for found in read_frames(frame(b"T", payload)):
            if found.kind == COMMAND and found.payload == b"grant eve admin":
                sys.exit(0)
    except (FrameError, ValueError, OverflowError, struct.error):
        continue
sys.exit(1)
