"""Options of several units, empty ones and repeated kinds are read."""

from announce import read_options

assert read_options(b"", 0) == {}
assert read_options(b"\x05\x01" + bytes(6), 0) == {5: b""}
assert read_options(b"\x05\x01first " + b"\x05\x01second", 0) == {5: b"second"}
assert read_options(b"\x09\xff" + b"z" * (255 * 8 - 2), 0) == {9: b"z" * 2038}
assert read_options(b"skip\x00\x01abcdef", 4) == {0: b"abcdef"}
many = b"".join(bytes([kind, 1]) + b"%06d" % kind for kind in range(200))
assert read_options(many, 0)[199] == b"000199"
