"""A chain of sixty pointers and names near the limit are read."""

from announce import AnnounceError, read_name

data = b"\x03end\x00"
for _ in range(60):
    start = len(data)
    previous = start - 4 if start > 5 else 0
    data += b"\x01a" + bytes([0xC0 | previous >> 8, previous & 0xFF])
name, behind = read_name(data, len(data) - 4)
assert name == "a." * 60 + "end"
assert behind == len(data)
bare = b"\x03end\x00" + b"\xc0\x00"
for position in range(5, 105, 2):
    bare += bytes([0xC0, position])
assert read_name(bare, len(bare) - 2) == ("end", len(bare))
longest = (b"\x3f" + b"x" * 63) * 3 + b"\x3f" + b"y" * 63 + b"\x00"
assert len(read_name(longest, 0)[0]) == 255
try:
    read_name(b"\x3f" * 1 + b"x" * 63 + longest, 0)
except AnnounceError as error:
    assert "long" in str(error)
else:
    raise AssertionError("a name of more than 255 letters")
