"""Data that is cut short is a FrameError; a kind is one byte."""

from frames import FrameError, frame, read_frames, read_list

for data in (b"T", b"T\x00", b"T\x00\x05abc", b"T\x00\x01aC\x00"):
    try:
        list(read_frames(data))
    except FrameError:
        continue
    raise AssertionError(data)
for payload in (b"", b"\x02\x01a", b"\x01"):
    try:
        read_list(payload)
    except FrameError:
        continue
    raise AssertionError(payload)
for kind in (b"", b"TT"):
    try:
        frame(kind, b"x")
    except FrameError:
        continue
    raise AssertionError(kind)
