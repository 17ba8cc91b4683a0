"""Data that is cut short is an AnnounceError, and the next announcement is read as before."""

from announce import AnnounceError, Announcement, read_announcement

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
        assert read_announcement(b"\x03cam\x00\x01\x01value1") == Announcement("cam", {1: b"value1"})
        continue
    raise AssertionError(data)
