"""A frame that the other side did not write by the rules closes the conversation."""

from __future__ import annotations

import socket
import struct

import pytest

from crisol.sandbox.frames import ClosedError, receive


@pytest.mark.parametrize("head", [b"[" * 100_000, b'{"#":[Infinity]}', b'{"#":[-1]}', b"{}", b"[]", b"\xff"])
def test_a_head_that_is_none_is_a_closed_end(head: bytes) -> None:
    """Whatever the bytes are, the reader sees one type of error."""
    near, far = socket.socketpair()
    with near, far:
        near.sendall(struct.pack("!Q", len(head)) + head)
        with pytest.raises(ClosedError):
            receive(far)
