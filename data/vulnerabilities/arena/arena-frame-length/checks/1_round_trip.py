"""Frames of several kinds follow each other and come back as they were."""

from frames import Frame, command_frame, frame, list_frame, read_frames, read_list, text_frame

data = (
    text_frame("Zoë says hi")
    + frame(b"P", b"")
    + command_frame("mute", "bob")
    + list_frame(["ana", "", "zoë"])
)
found = list(read_frames(data))
assert found[:3] == [Frame(b"T", "Zoë says hi".encode()), Frame(b"P", b""), Frame(b"C", b"mute bob")]
assert read_list(found[3].payload) == ["ana", "", "zoë"]
assert list(read_frames(b"")) == []
assert list(read_frames(command_frame("quit"))) == [Frame(b"C", b"quit")]
