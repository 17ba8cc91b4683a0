"""Frames of the message bus: kind (1 byte), length (2 bytes, big-endian), payload."""

import ctypes
from dataclasses import dataclass

HEADER_BYTES = 3

TEXT, LIST, COMMAND = b"T", b"L", b"C"


class FrameError(ValueError):
    """Bytes that are no frames, or a payload that cannot be framed."""


@dataclass(frozen=True)
class Frame:
    """A frame as the reader sees it."""

    kind: bytes
    payload: bytes


def frame(kind, payload):
    """Return the bytes of a frame."""
    if len(kind) != 1:
        raise FrameError("a kind is one byte")
    length = ctypes.c_uint16(len(payload)).value
    return kind + length.to_bytes(2, "big") + payload


def text_frame(text):
    """Return a frame with a text in UTF-8."""
    return frame(TEXT, text.encode("utf-8"))


def list_frame(entries):
    """Return a frame with a list: a count (1 byte), then each entry behind its length (1 byte)."""
    body = bytes([len(entries) & 0xFF])
    for entry in entries:
        raw = entry.encode("utf-8")
        body += bytes([len(raw) & 0xFF]) + raw
    return frame(LIST, body)


def command_frame(name, argument=""):
    """Return a frame with a command of the server."""
    return frame(COMMAND, f"{name} {argument}".strip().encode("utf-8"))


def read_frames(data):
    """Yield the frames in the data."""
    position = 0
    while position < len(data):
        if position + HEADER_BYTES > len(data):
            raise FrameError("a header is cut short")
        length = int.from_bytes(data[position + 1 : position + HEADER_BYTES], "big")
        end = position + HEADER_BYTES + length
        if end > len(data):
            raise FrameError("a payload is cut short")
        yield Frame(data[position : position + 1], data[position + HEADER_BYTES : end])
        position = end


def read_list(payload):
    """Return the entries of a list frame's payload."""
    if not payload:
        raise FrameError("a list has a count")
    entries, position = [], 1
    for _ in range(payload[0]):
        if position >= len(payload):
            raise FrameError("a list is cut short")
        end = position + 1 + payload[position]
        entries.append(payload[position + 1 : end].decode("utf-8"))
        position = end
    return entries
