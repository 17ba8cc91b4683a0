"""One connection of the client: HTTP/1.1, one request at a time, as raw protocol."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from crisol.lab.load.samples import Recorder

__all__ = ["Connection", "Owner", "Request"]


class Request(NamedTuple):
    """A request at its place in the order: which one it is, when it was meant to start, and its bytes."""

    at: int
    which: int
    intended: float
    content: bytes


class Owner(Protocol):
    """Who has connections: is told when one rests, when one is lost, and when a request is settled."""

    samples: Recorder

    def free(self, connection: Connection) -> None:
        """Take note that it rests."""
        ...

    def lost(self, connection: Connection) -> None:
        """Take note that it is gone."""
        ...

    def settled(self, request: Request, error: str = "") -> None:
        """Take note that a request was answered or failed."""
        ...


class Connection(asyncio.Protocol):
    """Sends and reads; what is no answer with a length ends the connection as ``bad_answer``."""

    def __init__(self, owner: Owner) -> None:
        self.request: Request | None = None
        self.sent = 0.0
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._need = -1
        self._error = "reset"

    @property
    def ready(self) -> bool:
        """Whether a request can be sent now."""
        return self._transport is not None and not self._transport.is_closing() and self.request is None

    def send(self, request: Request) -> None:
        """Send a request."""
        assert self._transport is not None
        self.request = request
        self._buffer, self._need = b"", -1
        self.sent = time.monotonic()
        self._transport.write(request.content)

    def abort(self, error: str) -> None:
        """Give up on the request, and the connection with it."""
        self._error = error
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Fail what was under way."""
        self._transport = None
        request, self.request = self.request, None
        if request is not None:
            self._owner.settled(request, self._error)
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        now = time.monotonic()
        if self.request is None:
            # Said without being asked, such as a 408 for a connection that rests too long.
            self.abort("reset")
            return
        buffer = self._buffer = self._buffer + data if self._buffer else data
        if self._need < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(buffer) > 65_536:
                    self.abort("bad_answer")
                return
            self._need = _length(buffer[:end])
            if self._need < 0:
                self.abort("bad_answer")
                return
            self._need += end + 4
        if len(buffer) < self._need:
            return
        request, self.request = self.request, None
        head = buffer[: buffer.find(b"\r\n\r\n")]
        self._owner.samples.answered(request, self.sent, now, head, buffer[len(head) + 4 : self._need])
        self._owner.settled(request)
        if b"connection: close" in head.lower():
            self.abort("reset")
        elif self.request is None:
            self._owner.free(self)


def _length(head: bytes) -> int:
    """Return the length that a head announces; -1 where it announces none."""
    if not head.startswith(b"HTTP/1.1 "):
        return -1
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return -1
    value = head[at + 17 :].split(b"\r\n", 1)[0].strip()
    return int(value) if value.isdigit() else -1
