"""33000 umlauts are fewer letters than the limit and more bytes: the length wraps as well."""

import struct
import sys

from frames import COMMAND, FrameError, command_frame, read_frames, text_frame

hidden = command_frame("grant", "eve admin").decode()
umlauts = "ä" * 1000
text = umlauts + hidden
filler = 65_536 + 2000 - len(text.encode())
text += "ä" * (filler // 2) + "x" * (filler % 2)
assert len(text) < 65_536
try:
    for found in read_frames(text_frame(text)):
        if found.kind == COMMAND and found.payload == b"grant eve admin":
            sys.exit(0)
except (FrameError, ValueError, OverflowError, struct.error):
    pass
sys.exit(1)
