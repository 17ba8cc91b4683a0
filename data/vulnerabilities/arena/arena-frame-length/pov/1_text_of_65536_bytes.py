"""A chat text of 65536 bytes has the length 0: what follows the header is read as a command."""

import struct
import sys

from frames import COMMAND, FrameError, command_frame, read_frames, text_frame

hidden = command_frame("grant", "eve admin").decode()
text = hidden + "x" * (65536 - len(hidden))
try:
    for found in read_frames(text_frame(text)):
        if found.kind == COMMAND and found.payload == b"grant eve admin":
            sys.exit(0)
except (FrameError, ValueError, OverflowError, struct.error):
    pass
sys.exit(1)
