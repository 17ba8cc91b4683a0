"""HTTP/1.1 by httptools, for clients that may be slow or endless on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["HEAD_BYTES", "HEAD_SECONDS", "PatientProtocol"]

HEAD_SECONDS = 10.0
HEAD_BYTES = 32_768

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """Waits ten seconds for a request's head, of at most 32 KiB, and no longer.

    uvicorn's own would wait for ever and keep whatever is sent. A head that arrives whole, as nearly all do,
    never starts the timer.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fuse: asyncio.TimerHandle | None = None
        self._head = 0
        self._open = False
        """Whether a head has begun and not ended."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._fuse = self.loop.call_later(HEAD_SECONDS, self._burn)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._defuse()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless the head grows too large."""
        super().data_received(data)
        if not self._open:
            return
        # What one read brings is bounded by the event loop, so it is enough to count afterwards.
        self._head += len(data)
        if self._head > HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._fuse is None and not self.transport.is_closing():
            self._fuse = self.loop.call_later(HEAD_SECONDS, self._burn)

    def on_message_begin(self) -> None:
        """Take note that a head has begun."""
        self._open = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take note that the head has ended."""
        self._open = False
        self._head = 0
        self._defuse()
        super().on_headers_complete()

    def _burn(self) -> None:
        self._fuse = None
        self._refuse(_TIMEOUT)

    def _refuse(self, answer: bytes) -> None:
        self._defuse()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _defuse(self) -> None:
        if self._fuse is not None:
            self._fuse.cancel()
            self._fuse = None
