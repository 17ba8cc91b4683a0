"""A payload of 65535 bytes, an entry of 255 bytes and a list of 255 entries are possible."""

from frames import frame, list_frame, read_frames, read_list, text_frame

for length in (255, 256, 4096, 65534, 65535):
    (found,) = read_frames(frame(b"B", b"\xff" * length))
    assert found.payload == b"\xff" * length, length
(found,) = read_frames(text_frame("ä" * 32767))
assert found.payload.decode() == "ä" * 32767
(found,) = read_frames(list_frame(["x" * 255, "ä" * 127]))
assert read_list(found.payload) == ["x" * 255, "ä" * 127]
entries = [f"n{number}" for number in range(255)]
(found,) = read_frames(list_frame(entries))
assert read_list(found.payload) == entries
assert list_frame([]) == b"L\x00\x01\x00"
