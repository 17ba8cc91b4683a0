"""The HTTP/1.1 protocol of the server program uvicorn, with time limits for clients and without upgrades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["BODY_SECONDS", "HEAD_BYTES", "HEAD_SECONDS", "PatientProtocol"]

HEAD_SECONDS = 10.0
HEAD_BYTES = 32_768
BODY_SECONDS = 10.0

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits for clients that are slow or send what the service forbids.

    A client has ten seconds to send the head of a request and ten to send the body; after that it gets status
    408. A client that reads nothing of its answer for ten seconds is disconnected. A head of more than 32 KiB
    gets status 431, an upgrade or a trailer status 400.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading: asyncio.TimerHandle | None = None
        """Runs while bytes of the client's are missing."""
        self._writing: asyncio.TimerHandle | None = None
        """Runs while the client does not take ours."""
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin the time limit for the head of the first request; the event loop calls this."""
        super().connection_made(transport)
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End all time limits, because the connection is closed; the event loop calls this."""
        self._stop_reading()
        self._stop_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; a head of more than 32 KiB gets status 431. The event loop calls this."""
        super().data_received(data)
        if self._in_head:
            # The event loop limits the size of one read, so a count after the read is enough.
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_TOO_LARGE)
            else:
                self._expect(HEAD_SECONDS)
        elif self._in_body:
            self._expect(BODY_SECONDS)

    def on_message_begin(self) -> None:
        """Count the bytes received from now on as the head of a request; the parser calls this."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store one header of the request, or refuse it with status 400 if it is a trailer.

        The parser calls this. A refusal raises ``ValueError``, which uvicorn turns into the status.
        """
        if not self._in_head:
            self.cycle.disconnected = True
            raise ValueError("a trailer would count as a header")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the time limit for the head of a request; the parser calls this.

        A request for an upgrade raises ``ValueError``, which uvicorn turns into status 400.
        """
        self._in_head, self._in_body, self._head_bytes = False, True, 0
        self._stop_reading()
        if self.parser.should_upgrade():
            raise ValueError("behind an upgrade there would be another protocol")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the timer that limits how long the client may send the body; the parser calls this."""
        self._in_body = False
        self._stop_reading()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Begin the time limit for a client that does not read its answer; the event loop calls this."""
        super().pause_writing()
        if self._writing is None:
            # close() would wait until the client has read the written bytes.
            self._writing = self.loop.call_later(BODY_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """End the time limit of :meth:`pause_writing`; the event loop calls this once the client reads."""
        self._stop_writing()
        super().resume_writing()

    def _expect(self, seconds: float) -> None:
        if self._reading is None and not self.transport.is_closing():
            self._reading = self.loop.call_later(seconds, self._refuse, _TIMEOUT)

    def _refuse(self, answer: bytes) -> None:
        self._stop_reading()
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(answer)
            self.transport.close()
        else:
            # An answer was sent already, for example for a body that is too large and still arrives.
            self.transport.abort()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
