"""The length of an entry wraps at 256: one name becomes several entries of a list."""

import struct
import sys

from frames import FrameError, list_frame, read_frames, read_list

name = "\x05admin" + "x" * 250
try:
    (found,) = read_frames(list_frame([name, "bob"]))
    entries = read_list(found.payload)
except (FrameError, ValueError, OverflowError, struct.error):
    sys.exit(1)
sys.exit(0 if "admin" in entries else 1)
