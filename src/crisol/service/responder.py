"""The outermost middleware: it begins the record of a request and sends the answer with all headers."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from crisol.service.exchange import begin
from crisol.service.logs import REQUEST
from crisol.service.problems import document, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.asgi import App, Message, Receive, Scope, Send
    from crisol.service.exchange import Exchange
    from crisol.service.problems import Problem

__all__ = ["HEADERS", "Responder"]

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""The headers of every answer; the module `page` has those that only a web page needs."""


def _no_report(scope: Scope, exchange: Exchange, seconds: float) -> None:
    """Do nothing; this is the default ``report`` of a :class:`Responder`."""


class Responder:
    """The outermost ASGI middleware: it begins the record of each request, and sends the answer.

    ``app`` is the ASGI application that makes the answer. The middleware adds headers to the answer: those of
    :data:`HEADERS`, the request id, the trace id, and the headers that other middleware put into the record.
    An exception of ``app`` becomes an error document, unless the answer has begun. After each request the
    middleware calls ``report(scope, exchange, seconds)`` with the request's ASGI scope, record and duration.

    A valid header ``traceparent`` of a request says whether the trace spans of this request are sent. Without
    such a header they are sent with the probability ``traced``, 0 to 1.
    """

    def __init__(
        self, app: App, report: Callable[[Scope, Exchange, float], None] = _no_report, *, traced: float = 0.0
    ) -> None:
        self._app = app
        self._report = report
        self._traced = traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request to the application, and add headers to the answer.

        If the application raises before its answer has begun, an error document is sent. A websocket is
        closed with the code 1008. A connection that is neither HTTP nor a websocket goes to the application
        unchanged.
        """
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        exchange = begin(scope, self._traced)
        exchange.answer_headers += HEADERS

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                # A copy, since the application may send its message again; ASGI lets it leave the headers
                # out.
                headers = [*message.get("headers", ()), *exchange.answer_headers]
                message = {**message, "headers": headers}
            await send(message)

        token = REQUEST.set((exchange.request_id, exchange.trace.id))
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last wall: whatever it is, it has an answer
            # A local name for the problem would keep this frame, and the request, in a cycle: the problem's
            # traceback refers to the frame.
            await _explain(problem_of(error), exchange, answer)
        finally:
            REQUEST.reset(token)
            self._report(scope, exchange, perf_counter() - start)


async def _explain(problem: Problem, exchange: Exchange, answer: Send) -> None:
    """Send the error document of ``problem`` by ``answer``, unless the answer of ``exchange`` has begun."""
    if exchange.status:
        return
    content, headers = document(problem, exchange.request_id)
    await answer({"type": "http.response.start", "status": problem.status, "headers": headers})
    await answer({"type": "http.response.body", "body": content})
