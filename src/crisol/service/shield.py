"""The middleware that refuses requests with an unknown name in the header ``Host``.

If the service answers its own machine alone, it also refuses requests from other machines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crisol.errors import SettingsError
from crisol.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisol.service.asgi import App, Receive, Scope, Send

__all__ = ["LOOPBACK", "Shield", "allowed_hosts"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@,/\s]+))(?::[0-9]{1,5})?")


def allowed_hosts(text: str, *, host: str) -> frozenset[str]:
    """Return the names that a service accepts in the header ``Host``, in lower case.

    ``host`` is the address on which the service listens. This address and the loopback names are always
    accepted; ``0.0.0.0`` and ``::`` are never accepted, even as ``host``. ``text`` is a comma-separated list
    of further names, without a port; "" adds none. Raises :class:`~crisol.errors.SettingsError` for ``*``.
    """
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if "*" in names:
        raise SettingsError(
            "CRISOL_ALLOWED_HOSTS: name the hosts; * would let any web page ask in a user's name"
        )
    return frozenset({host.lower(), *LOOPBACK, *names} - {"0.0.0.0", "::"})  # noqa: S104 - taken out


class Shield:
    """ASGI middleware in front of ``app`` that refuses requests by their header ``Host`` or their sender.

    ``hosts`` are the accepted names in the header, in lower case and without a port. A request is refused
    with status 421 unless it has exactly one header ``Host``, with an accepted name; the port in the header
    may be any. With ``loopback_only``, a request that comes from another machine is refused with status 403.
    A refused request raises :class:`~crisol.service.problems.Problem`.
    """

    def __init__(self, app: App, hosts: Iterable[str], *, loopback_only: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._loopback_only = loopback_only
        self._seen_hosts: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on to the application, or raise :class:`Problem` to refuse the request.

        The status of a refusal is 421 for a wrong header ``Host``, and 403 for a request from another machine
        if ``loopback_only`` is True. A connection that is not HTTP is passed on without a check.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
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
            # The number of stored hosts is limited, because clients choose them.
            if len(self._seen_hosts) < 64:
                self._seen_hosts[value] = allowed
        return allowed


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
