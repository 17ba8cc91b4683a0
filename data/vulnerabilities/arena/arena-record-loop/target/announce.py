"""Read announcements of devices on the local network.

An announcement is a name, an empty label at its end, and options. A name consists of labels (length,
bytes); a length of 0xC0 or more is the first byte of a pointer, whose lower 14 bits say where the name
goes on. An option is a kind, a length in units of eight bytes that includes these two bytes, and a value.
"""

from dataclasses import dataclass, field

POINTER = 0xC0
MAX_NAME = 255
UNIT = 8


class AnnounceError(ValueError):
    """Bytes that are no announcement."""


@dataclass
class Announcement:
    """The name of a device and its options by kind."""

    name: str
    options: dict = field(default_factory=dict)


def byte_at(data, position):
    """Return the byte at a position."""
    if position >= len(data):
        raise AnnounceError("the announcement is cut short")
    return data[position]


def read_name(data, position):
    """Return the name at a position and where the data goes on behind it."""
    labels, behind = [], None
    while True:
        length = byte_at(data, position)
        if length >= POINTER:
            target = (length & 0x3F) << 8 | byte_at(data, position + 1)
            if behind is None:
                behind = position + 2
            position = target
            continue
        position += 1
        if length == 0:
            break
        label = data[position : position + length]
        if len(label) < length:
            raise AnnounceError("a label is cut short")
        labels.append(label.decode("latin-1"))
        position += length
    name = ".".join(labels)
    if len(name) > MAX_NAME:
        raise AnnounceError("the name is too long")
    return name, behind if behind is not None else position


def read_options(data, position):
    """Return the options from a position to the end, by kind; a later one of a kind wins."""
    options = {}
    while position < len(data):
        kind, size = data[position], byte_at(data, position + 1) * UNIT
        value = data[position + 2 : position + size]
        if position + size > len(data):
            raise AnnounceError("an option is cut short")
        options[kind] = value.rstrip(b"\0")
        position += size
    return options


def read_announcement(data):
    """Return the announcement in the data."""
    name, position = read_name(data, 0)
    return Announcement(name, read_options(data, position))
