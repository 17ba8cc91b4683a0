"""The outer walls, as pure ASGI: who may ask at all, how much, how slowly, and what every answer carries.

``Shield`` stands outside the rate limiter (hosts, request ids, security headers, failures), ``Gate`` behind it
(token, content type, body): a client without tokens of the bucket is turned away before anybody reads its body.
"""

from __future__ import annotations

import hmac
import logging
import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from crisol.errors import CrisolError, SettingsError
from crisol.service import trace
from crisol.service.fields import pairs
from crisol.service.logs import REQUEST
from crisol.service.problems import OUR_FAILURE, Problem, document, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["HEADERS", "LOOPBACK", "Gate", "Observer", "Shield", "allowed_hosts", "failure"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'",
    ),
)
"""What every answer carries."""
_IDS = b"x-request-id: %b\r\ntraceparent: %b\r\n"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Is told of every answer: its path's route, its status and its seconds."""

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Take note."""
        ...


def allowed_hosts(text: str, *, host: str) -> frozenset[str]:
    """Return the host names by which a service that listens on ``host`` may be asked for, lower case.

    ``text`` adds names with commas. Raises :class:`~crisol.errors.SettingsError` for ``*``, which would let any
    web page that a user visits ask in the user's name.
    """
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if "*" in names:
        raise SettingsError(
            "CRISOL_ALLOWED_HOSTS: name the hosts; * would let any web page ask in a user's name"
        )
    return frozenset({host.lower(), *LOOPBACK, *names} - {"0.0.0.0", "::"})  # noqa: S104 - taken out


class Shield:
    """Answers for wrong hosts and for failures, gives every request an id and every answer its headers.

    ``traced`` is the share of traces that are kept, of those that begin here.
    """

    def __init__(
        self,
        app: App,
        hosts: Iterable[str],
        *,
        loopback_only: bool,
        observe: Observer | None = None,
        traced: float = 0.0,
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._loopback_only = loopback_only
        self._observe = observe
        self._traced = traced
        self._known_hosts: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; what is not HTTP passes through, but for websockets, of which there are none."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status = 0
        if "crisol.request_id" not in scope:
            self.identify(scope)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS, *pairs(self.ids(scope))]
            await send(message)

        try:
            self.check(scope)
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last wall: nobody outside sees a trace
            problem = failure(error)
            if not status:
                content, headers = document(problem, scope["crisol.request_id"])
                if "crisol.taken" in scope:
                    headers += pairs(scope["crisol.taken"].lines)
                await answer({"type": "http.response.start", "status": problem.status, "headers": headers})
                await answer({"type": "http.response.body", "body": content})
        finally:
            if self._observe is not None:
                self._observe(scope, status, perf_counter() - start)

    def identify(self, scope: Scope) -> None:
        """Give a request its ids, for answers and logs, and its headers by name."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        scope["crisol.headers"] = headers
        scope["crisol.trace"] = traced = trace.begin(headers.get(b"traceparent"), self._traced)
        given = headers.get(b"x-request-id")
        known = given is not None and _REQUEST_ID.fullmatch(given)
        scope["crisol.request_id"] = request_id = known[0].decode() if known else traced.id
        REQUEST.set((request_id, traced.id))

    def check(self, scope: Scope) -> None:
        """Refuse, as :class:`Problem`, who may not ask at all."""
        headers = scope["crisol.headers"]
        once = (
            len(headers) == len(scope["headers"])
            or [name for name, _ in scope["headers"]].count(b"host") == 1
        )
        if not once or not self._is_allowed(headers.get(b"host", b"")):
            raise Problem(421, "this service is not known by that host name; see CRISOL_ALLOWED_HOSTS")
        if self._loopback_only:
            client = scope.get("client")
            if client is not None and not _is_loopback(client[0]):
                raise Problem(403, "without CRISOL_API_TOKEN this service answers its own machine alone")

    @staticmethod
    def ids(scope: Scope) -> bytes:
        """Return what every answer carries beside :data:`HEADERS`: how to find it again."""
        return _IDS % (scope["crisol.request_id"].encode(), scope["crisol.trace"].header)

    def _is_allowed(self, value: bytes) -> bool:
        known = self._known_hosts.get(value)
        if known is None:
            text = value.decode("latin-1").lower()
            name = (
                text[1 : text.index("]")]
                if text.startswith("[") and "]" in text
                else text.rpartition(":")[0] or text
            )
            known = name in self._hosts
            # Bounded, because what is asked for is the client's choice.
            if len(self._known_hosts) < 64:
                self._known_hosts[value] = known
        return known


class Gate:
    """Asks for the token, for JSON, and for a body of at most ``limit`` bytes, counted while it comes.

    The body is read here, and handed on as ``scope["crisol.body"]`` and as the usual message. For how long to wait
    for it is the protocol's business, see :mod:`crisol.service.protocol`.
    """

    def __init__(self, app: App, *, limit: int, token: str | None, reads_open: bool) -> None:
        self._app = app
        self._limit = limit
        self._token = None if token is None else token.encode()
        self._reads_open = reads_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request whose body has been checked."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        self.admit(scope)
        content = await self._read(receive)
        self.take(scope, content)
        scope["crisol.gate"] = perf_counter() - start
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": content, "more_body": False}

        await self._app(scope, replay, send)

    def admit(self, scope: Scope) -> None:
        """Refuse, as :class:`Problem`, who lacks the token or announces too much."""
        headers = scope["crisol.headers"]
        if self._token is not None:
            read = self._reads_open or scope["path"] == "/health"
            if not (read and scope["method"] in _READS):
                self._authorise(headers.get(b"authorization", b""))
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limit:
            raise Problem(413, f"the body has {int(length)} bytes, {self._limit} are allowed")

    def take(self, scope: Scope, content: bytes) -> None:
        """Take a whole body, if it is said to be JSON."""
        kind = scope["crisol.headers"].get(b"content-type", b"")
        if (
            kind != b"application/json"
            and content
            and scope["method"] not in _READS
            and kind.partition(b";")[0].strip().lower() != b"application/json"
        ):
            # A form of another site can send any other type in a user's name, but not this one.
            raise Problem(415, "send the body as application/json")
        scope["crisol.body"] = content

    def _authorise(self, given: bytes) -> None:
        scheme, _, token = given.partition(b" ")
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


def failure(error: Exception) -> Problem:
    """Return the answer to whatever went wrong; what is a fault of ours is logged."""
    if isinstance(error, Problem):
        return error
    problem = problem_of(error) if isinstance(error, CrisolError) else OUR_FAILURE
    if problem is OUR_FAILURE:
        _log.exception("a request failed", exc_info=error)
    return problem


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
