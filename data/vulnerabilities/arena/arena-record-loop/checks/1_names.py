"""Names of one and several labels, and the options behind them."""

from announce import Announcement, read_announcement

assert read_announcement(b"\x07printer\x05local\x00") == Announcement("printer.local")
assert read_announcement(b"\x00") == Announcement("")
data = b"\x03cam\x00" + b"\x01\x01value1" + b"\x02\x02" + b"long value".ljust(14, b"\0")
assert read_announcement(data) == Announcement("cam", {1: b"value1", 2: b"long value"})
assert read_announcement(b"\x04k\xf6ln\x00").name == "köln"
