"""The outer wall: which hosts and machines may ask, and what every answer carries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crisol.errors import SettingsError
from crisol.service.exchange import exchange_of
from crisol.service.logs import REQUEST
from crisol.service.problems import Problem, answering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisol.service.asgi import App, Message, Receive, Scope, Send

__all__ = ["HEADERS", "LOOPBACK", "Shield", "allowed_hosts"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
            b"base-uri 'none'"
        ),
    ),
)
"""What every answer carries."""
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@,/\s]+))(?::[0-9]{1,5})?")


def allowed_hosts(text: str, *, host: str) -> frozenset[str]:
    """Return the ``Host`` names that a service listening on ``host`` accepts, in lower case.

    Loopback names are always among them; ``text`` is a comma-separated list of further names. Raises
    :class:`~crisol.errors.SettingsError` for ``*``, which would allow DNS rebinding by any web page.
    """
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if "*" in names:
        raise SettingsError(
            "CRISOL_ALLOWED_HOSTS: name the hosts; * would let any web page ask in a user's name"
        )
    return frozenset({host.lower(), *LOOPBACK, *names} - {"0.0.0.0", "::"})  # noqa: S104 - taken out


class Shield:
    """Middleware that refuses unknown hosts, turns exceptions into error answers, and adds security headers.

    Each answer, and each log line on the way, carries the request id and trace id. ``loopback_only`` refuses
    clients of other machines.
    """

    def __init__(self, app: App, hosts: Iterable[str], *, loopback_only: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._loopback_only = loopback_only
        self._seen_hosts: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Other ASGI scopes pass through, except websockets, which are refused.
        """
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        exchange = exchange_of(scope)
        own = (
            *HEADERS,
            (b"x-request-id", exchange.request_id.encode()),
            (b"traceparent", exchange.trace.header),
        )

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *own]
            await send(message)

        token = REQUEST.set((exchange.request_id, exchange.trace.id))
        try:
            await answering(self._checked, scope, receive, answer, exchange.request_id)
        finally:
            REQUEST.reset(token)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["crisol"].headers
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
        await self._app(scope, receive, send)

    def _is_allowed(self, value: bytes) -> bool:
        allowed = self._seen_hosts.get(value)
        if allowed is None:
            host = _HOST.fullmatch(value.decode("latin-1").lower())
            allowed = host is not None and (host[1] or host[2]) in self._hosts
            # Bounded, because the client chooses what it names.
            if len(self._seen_hosts) < 64:
                self._seen_hosts[value] = allowed
        return allowed


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
