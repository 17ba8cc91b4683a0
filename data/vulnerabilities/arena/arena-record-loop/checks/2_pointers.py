"""Pointers lead backwards and forwards, and the data goes on behind the first of them."""

from announce import read_announcement, read_name

shared = b"\x05local\x00\x03cam\xc0\x00\x04door\xc0\x07"
assert read_name(shared, 0) == ("local", 7)
assert read_name(shared, 7) == ("cam.local", 13)
assert read_name(shared, 13) == ("door.cam.local", 20)
assert read_name(b"\x03cam\xc0\x06\x05local\x00", 0) == ("cam.local", 6)
assert read_name(b"\xc0\x02\xc0\x04\x03cam\x00", 0) == ("cam", 2)
options = read_announcement(b"\xc0\x02\x01\x01\x00" + b"xyzab").options
assert options == {1: b"\0xyzab"}
