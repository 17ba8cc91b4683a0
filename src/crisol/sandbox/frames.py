"""The messages (frames) between a sandbox and its caller: one JSON object and any number of byte strings.

This module runs on both sides. Inside the sandbox most of the package is missing, so the module imports the
standard library only. A frame is the eight-byte length of its head, the head (JSON, whose ``"#"`` lists the
sizes of the byte strings) and the byte strings, called blobs. A frame from the other side can be hostile:
sizes are bounded, and decoding JSON executes no code.
"""

from __future__ import annotations

import json
import socket
import struct
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_FRAME", "ClosedError", "receive", "rehearse", "send"]

MAX_FRAME = 1 << 30
"""The largest frame, in bytes; a file tree with its dependencies is sent as one frame."""

_LENGTH = struct.Struct("!Q")


class ClosedError(Exception):
    """The other end of a socket was closed, or has sent bytes that are no frame."""


def send(channel: socket.socket, head: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Write one frame, a dict that JSON can hold (``head``) and byte strings (``blobs``), to a socket.

    The size is not checked here; :func:`receive` takes up to 1 GiB. Raises :class:`ClosedError` if the other
    end was closed, and ``TimeoutError`` after the socket's time-out.
    """
    text = json.dumps({**head, "#": [len(blob) for blob in blobs]}).encode()
    try:
        channel.sendall(b"".join((_LENGTH.pack(len(text)), text, *blobs)))
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ClosedError("the peer is gone") from error


def receive(channel: socket.socket, limit: int = MAX_FRAME) -> tuple[dict[str, Any], list[bytes]]:
    """Read one frame from a socket, and return its dict and its byte strings.

    ``limit`` is the largest size, in bytes, of the dict as JSON, and also of all byte strings together; its
    default is 1 GiB. Raises :class:`ClosedError` if the other end was closed, or has sent bytes that are no
    frame or exceed ``limit``, and ``TimeoutError`` after the socket's time-out.
    """
    (size,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if size > limit:
        raise ClosedError(f"a head of {size} bytes")
    try:
        head = json.loads(_exactly(channel, size))
        sizes = [int(blob) for blob in head.pop("#")]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as error:
        raise ClosedError("a head that is not ours") from error
    if any(blob < 0 for blob in sizes) or sum(sizes) > limit:
        raise ClosedError("blobs beyond the limit")
    body = memoryview(_exactly(channel, sum(sizes)))
    ends = list(accumulate(sizes, initial=0))
    return head, [bytes(body[start:end]) for start, end in pairwise(ends)]


def rehearse() -> None:
    """Send and receive one frame inside this process, so that the next frame is fast.

    The first call of :func:`send` and :func:`receive` after a fork is slow, because the kernel copies memory
    pages. Call this function before the time of a run is measured.
    """
    near, far = socket.socketpair()
    send(near, {"names": ["rehearsal"], "seconds": 1.5}, [b"blob"])
    receive(far)
    near.close()
    far.close()


def _exactly(channel: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    filled = 0
    while filled < size:
        try:
            count = channel.recv_into(view[filled:])
        except ConnectionResetError as error:
            raise ClosedError("the peer is gone") from error
        if count == 0:
            raise ClosedError("the peer is gone")
        filled += count
    return bytes(buffer)
