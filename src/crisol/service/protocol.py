"""HTTP/1.1 by httptools, for clients that may be slow or endless on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from crisol.service.express import PATH
from crisol.service.repeat import Repeat

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from crisol.service.shield import Scope

__all__ = ["BODY_SECONDS", "HEAD_BYTES", "HEAD_SECONDS", "PatientProtocol"]

HEAD_SECONDS = 10.0
HEAD_BYTES = 32_768
BODY_SECONDS = 10.0
_AT_ONCE_BYTES = 65_536
"""Longer bodies are read by the application, which refuses them while they come."""

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """Waits ten seconds for a request's head, of at most 32 KiB, ten more for its body, and no longer.

    uvicorn's own would wait for ever and keep whatever is sent. A request that arrives whole, as nearly all do,
    never starts the timer. Whoever does not take the answer is cut off after the same time.

    An application with a method ``at_once`` is asked for the whole answer when the whole request is there, see
    :mod:`crisol.service.express`. A client that sends the same head again is not parsed again, see
    :mod:`crisol.service.repeat`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fuse: asyncio.TimerHandle | None = None
        """Burns while the client owes us bytes."""
        self._deaf: asyncio.TimerHandle | None = None
        """Burns while the client does not take ours."""
        self._head = 0
        self._open = False
        """Whether a head has begun and not ended."""
        self._whole = True
        """Whether no body is missing."""
        self._at_once: Callable[[Any, bytes], bytes | None] | None = getattr(self.app, "at_once", None)
        self._held: tuple[RequestResponseCycle, Any] | None = None
        """A request that is answered, or handed to the application, when its body is there."""
        self._came = b""
        """What is being read, if a request begins with it."""
        self._repeat: Repeat | None = None
        self._begun: Scope | None = None
        """How far a request came that was known by its head, and has to be waited for all the same."""
        self._answered = 0.0
        """When such a request was answered last, by the loop's clock."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._light(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._defuse()
        self._hear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a request whose head is known; else feed the parser, unless the head grows too large."""
        rests = not self._open and self._whole and (self.cycle is None or self.cycle.response_complete)
        if rests and self._repeat is not None and self._answer_again(self._repeat, data):
            return
        self._came = data if rests else b""
        super().data_received(data)
        self._came = b""
        if self._open:
            # What one read brings is bounded by the event loop, so it is enough to count afterwards.
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(_TOO_LARGE)
            else:
                self._light(HEAD_SECONDS)
        elif not self._whole:
            self._light(BODY_SECONDS)

    def on_message_begin(self) -> None:
        """Take note that a head has begun."""
        self._open = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take note that the head has ended, and that a body may follow."""
        self._open = self._whole = False
        self._head = 0
        self._defuse()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take note that the body has ended, and answer if that can be done at once."""
        self._whole = True
        self._defuse()
        super().on_message_complete()
        if self._held is not None:
            (cycle, app), self._held = self._held, None
            self._answer(cycle, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start to answer, or wait for the body where the answer may be there at once."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            scope = cast("Scope", cycle.scope)
            scope.update({key: value for key, value in begun.items() if key.startswith("crisol.")})
            super()._start_asgi_task(cycle, app)
        elif cycle is self.cycle and not self._whole and self._suits(cycle):
            self._held = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _suits(self, cycle: RequestResponseCycle) -> bool:
        scope = cycle.scope
        if self._at_once is None or scope["path"] != PATH or scope["method"] != "POST":
            return False
        if not cycle.keep_alive or cycle.waiting_for_100_continue:
            return False
        # Without a length it may never end, and nobody would count.
        length = dict(scope["headers"]).get(b"content-length", b"")
        return length.isdigit() and int(length) <= _AT_ONCE_BYTES

    def _answer(self, cycle: RequestResponseCycle, app: Any) -> None:
        assert self._at_once is not None
        body = bytes(cycle.body)
        free = cycle.keep_alive and not self.flow.write_paused and not self.transport.is_closing()
        content = self._at_once(cycle.scope, body) if free else None
        if content is None:
            super()._start_asgi_task(cycle, app)
            return
        cycle.response_started = cycle.response_complete = True
        self.transport.write(content)
        self.on_response_complete()
        self._repeat = Repeat.of(self._came, cast("Scope", cycle.scope), body, _AT_ONCE_BYTES)

    def _answer_again(self, repeat: Repeat, data: bytes) -> bool:
        """Answer a request at once whose head is known; else leave it to the parser, with what it came to so far."""
        assert self._at_once is not None
        found = repeat.split(data)
        if found is None or self.flow.write_paused or self.transport.is_closing():
            return False
        content = self._at_once(*found)
        if content is None:
            self._begun = found[0]
            return False
        self.transport.write(content)
        self.server_state.total_requests += 1
        self._answered = self.loop.time()
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing came over for long enough."""
        # Setting the timer anew for every request would cost more than to look, when it ends, whether it should have.
        rest = self._answered + self.timeout_keep_alive - self.loop.time()
        if rest > 0.0:
            self.timeout_keep_alive_task = self.loop.call_later(rest, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Start to wait for a client that does not read."""
        super().pause_writing()
        if self._deaf is None:
            # Closing would wait until what is written has been taken.
            self._deaf = self.loop.call_later(BODY_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting for it."""
        self._hear()
        super().resume_writing()

    def _light(self, seconds: float) -> None:
        if self._fuse is None and not self.transport.is_closing():
            self._fuse = self.loop.call_later(seconds, self._burn)

    def _burn(self) -> None:
        self._fuse = None
        self._refuse(_TIMEOUT)

    def _refuse(self, answer: bytes) -> None:
        self._defuse()
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(answer)
            self.transport.close()
        else:
            # The answer is out already, as with a body that was refused for its size and still comes.
            self.transport.abort()

    def _hear(self) -> None:
        if self._deaf is not None:
            self._deaf.cancel()
            self._deaf = None

    def _defuse(self) -> None:
        if self._fuse is not None:
            self._fuse.cancel()
            self._fuse = None
