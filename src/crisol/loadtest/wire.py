"""One connection of the load test's client: HTTP/1.1, one request at a time, as an asyncio protocol."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from crisol.loadtest.samples import Recorder

__all__ = ["RESTS", "Connection", "Owner"]

RESTS = -1
"""The value of a connection's place while it waits for no answer."""

_LONGEST_HEAD = 65_536
_CLOSE = re.compile(rb"\r\nconnection:(?:[^\r]*,)?[ \t]*close[ \t]*(?:[,\r]|\Z)")


class Owner(Protocol):
    """The interface of the client that owns connections; each :class:`Connection` reports to it.

    ``samples`` is the record of all requests. The methods are called in the event loop; their argument ``at``
    is the index of a request in the order of sending.
    """

    samples: Recorder

    def answered(self, connection: Connection, at: int, now: float, status: int, body: bytes) -> None:
        """Receive the answer to the request with the index ``at``; the connection is then free for the next.

        ``now`` is the time at which the last byte arrived, in seconds of the monotonic clock; ``status`` and
        ``body`` are those of the HTTP answer.
        """
        ...

    def failed(self, at: int, error: str) -> None:
        """Receive the report that the request with the index ``at`` got no answer.

        ``error`` is one of :data:`crisol.loadtest.samples.ERRORS`, such as ``timeout``.
        """
        ...

    def lost(self, connection: Connection) -> None:
        """Receive the report that ``connection`` was closed.

        If a request still waited for its answer, :meth:`failed` was called before.
        """
        ...


class Connection(asyncio.Protocol):
    """An asyncio protocol that sends one HTTP request at a time and reads its answer.

    ``owner`` receives the answers and failures. ``at`` is the index, in the load, of the request that
    waits for its answer; it is :data:`RESTS` if no request waits. An answer that is not HTTP/1.1 with a
    content length closes the connection, and the request fails as ``bad_answer``.
    """

    __slots__ = ("_buffer", "_error", "_owner", "_transport", "_write", "at")

    def __init__(self, owner: Owner) -> None:
        self.at = RESTS
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._error = "reset"

    @property
    def ready(self) -> bool:
        """Whether the connection is open and free for a request."""
        return self.at == RESTS and self._transport is not None and not self._transport.is_closing()

    def send(self, at: int, content: bytes) -> None:
        """Send ``content``, the bytes of the request with the index ``at``, and record the time of sending.

        Call it only while :attr:`ready` is True.
        """
        self.at = at
        self._owner.samples.sent[at] = time.monotonic()
        self._write(content)

    def abort(self, error: str) -> None:
        """Close the connection; a request that waits for its answer fails with ``error``.

        ``error`` is one of :data:`crisol.loadtest.samples.ERRORS`, such as ``timeout``.
        """
        self._error = error
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep ``transport``, by which bytes are sent; the event loop calls this."""
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Report to the owner that the request without an answer failed, and that the connection is closed.

        Without such a request, only the closing is reported. The event loop calls this; ``exc`` is not used.
        """
        self._transport = None
        at, self.at = self.at, RESTS
        if at != RESTS:
            self._owner.failed(at, self._error)
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        """Collect the received bytes, and report each complete answer to the owner.

        The event loop calls this.
        """
        now = time.monotonic()
        at = self.at
        if at == RESTS:
            # The server sends an answer without a request, such as a 408 for an idle connection.
            self.abort("reset")
            return
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        length = _length(data, end) if end >= 0 else 0
        if length < 0 or (end < 0 and len(data) > _LONGEST_HEAD):
            self.abort("bad_answer")
            return
        if end < 0 or len(data) < end + 4 + length:
            self._buffer = data
            return
        self._buffer = b""
        self.at = RESTS
        if _closes(data, end):
            self.abort("reset")
        self._owner.answered(self, at, now, int(data[9:12]), data[end + 4 : end + 4 + length])


def _length(data: bytes, end: int) -> int:
    """Return the ``Content-Length`` in the head ``data[:end]``; -1 without one, or if it is no HTTP/1.1."""
    if not (data.startswith(b"HTTP/1.1 ") and data[9:12].isdigit()):
        return -1
    at = data.find(b"\r\ncontent-length:", 0, end)
    if at < 0:
        at = data[:end].lower().find(b"\r\ncontent-length:")
        if at < 0:
            return -1
    value = data[at + 17 : data.find(b"\r", at + 17)].strip()
    return int(value) if value.isdigit() else -1


def _closes(data: bytes, end: int) -> bool:
    return _CLOSE.search(data[:end].lower()) is not None
