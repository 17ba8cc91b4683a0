"""The bytes on the wire are those that other programs read."""

from frames import command_frame, frame, list_frame, text_frame

assert text_frame("hi") == b"T\x00\x02hi"
assert frame(b"X", b"a" * 300) == b"X\x01\x2c" + b"a" * 300
assert command_frame("grant", "bob") == b"C\x00\x09grant bob"
assert list_frame(["a", "bc"]) == b"L\x00\x06\x02\x01a\x02bc"
