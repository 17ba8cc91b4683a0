"""Data that is cut short is an AnnounceError."""

from announce import AnnounceError, read_announcement

for data in (
    b"",
    b"\x05loc",
    b"\x03cam",
    b"\xc0",
    b"\xc0\x09",
    b"\x00\x01",
    b"\x00\x01\x02abcdef",
    b"\x00\x01\x01abc",
):
    try:
        read_announcement(data)
    except AnnounceError:
        continue
    raise AssertionError(data)
