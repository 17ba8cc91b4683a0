"""The middleware after the rate limit: it checks token, origin, content type and size of a request."""

from __future__ import annotations

import hmac
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.service.problems import Problem

if TYPE_CHECKING:
    from crisol.service.asgi import App, Message, Receive, Scope, Send
    from crisol.service.exchange import Exchange

__all__ = ["Gate"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/health", "/", "/static/page.css", "/static/page.js"})
"""The paths that need no token: the health check, and the web page, on which the user enters the token."""


class Gate:
    """ASGI middleware that checks token, origin, content type and size of requests before they reach ``app``.

    ``limit`` is the size of the largest body, in bytes. A ``token`` of None means that no bearer token is
    needed. GET, HEAD and OPTIONS requests for ``/health`` and the web page never need a token; with
    ``reads_open``, no GET, HEAD or OPTIONS request needs one. A request with another method is refused if its
    header ``Origin`` names another host than its header ``Host``. The object reads the body and stores it in
    the request's :class:`~crisol.service.exchange.Exchange`. A refused request raises
    :class:`~crisol.service.problems.Problem`, with the status 400, 401, 403, 413 or 415.
    """

    def __init__(self, app: App, *, limit: int, token: str | None, reads_open: bool) -> None:
        self._app = app
        self._limit = limit
        self._token = None if token is None else token.encode()
        self._reads_open = reads_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on to the application, or raise :class:`Problem` if the request breaks a rule.

        The rules are those of the class. A connection of another type, such as a WebSocket, is passed on
        without a check.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        exchange: Exchange = scope["crisol"]
        self._admit(scope, exchange.headers)
        exchange.body = content = await self._read(receive)
        if scope["method"] == "POST":
            self._check_content_type(exchange.headers.get(b"content-type", b""), content)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": content, "more_body": False}

        inside = perf_counter()
        exchange.gate_seconds = inside - start
        try:
            await self._app(scope, replay, send)
        finally:
            exchange.inside_seconds = perf_counter() - inside

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        reading = scope["method"] in _READS
        if self._token is not None and not (reading and (self._reads_open or scope["path"] in _OPEN)):
            self._authorise(headers.get(b"authorization", b""))
        origin = headers.get(b"origin")
        if not reading and origin is not None:
            site = origin.partition(b"://")[2]
            if site.lower() != headers.get(b"host", b"").lower():
                raise Problem(403, "a page of another site may not ask in a user's name")
        length = headers.get(b"content-length", b"")
        # Without a valid Content-Length, the size is checked while the body is read.
        if length.isdigit() and int(length) > self._limit:
            raise Problem(413, f"the body has {int(length)} bytes, {self._limit} are allowed")

    def _check_content_type(self, kind: bytes, body: bytes) -> None:
        # A form on another site, which sends requests in a user's name, can send neither JSON nor a token.
        if not body and self._token is not None:
            return
        if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
            raise Problem(415, "send the body, also an empty one, as application/json")

    def _authorise(self, presented: bytes) -> None:
        scheme, _, token = presented.partition(b" ")
        # compare_digest takes as long for a wrong token as for the right one.
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token or b""):
            raise Problem(401, "send the token of CRISOL_API_TOKEN as Authorization: Bearer …")

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "the client left before its body was complete")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise Problem(413, f"the body has more than {self._limit} bytes")
            chunks.append(chunk)
            more = message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
