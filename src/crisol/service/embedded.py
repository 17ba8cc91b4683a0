"""A server inside this process, for notebooks and tests.

>>> with serve(settings) as server:  # doctest: +SKIP
...     print(server.url)
http://127.0.0.1:40123
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvicorn
import uvloop

from crisol.errors import UnavailableError
from crisol.service.app import Application
from crisol.service.protocol import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisol.config import Settings
    from crisol.service.core import Service

__all__ = ["Server", "configure", "listen", "serve"]

_START_SECONDS = 60.0
_ANSWER_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """A Crisol server that runs in a thread of this process; :func:`serve` starts it.

    ``url`` is its base URL and ``port`` its TCP port. ``service`` holds the objects that answer; use them
    only in ``loop``, the event loop of that thread.
    """

    url: str
    port: int
    service: Service
    loop: asyncio.AbstractEventLoop

    def decide(self, vulnerability: str, diff: str, *, cwe: str = "") -> dict[str, Any]:
        """Send ``diff`` to ``POST /wargaming/ml-first``, and return the decoded JSON answer.

        ``vulnerability`` is an id and ``cwe`` a text such as ``CWE-79``; "" means unknown. The keys of the
        result are the fields of :class:`~crisol.service.messages.Answer`. Raises
        :class:`~crisol.errors.UnavailableError`, with the server's message, for any HTTP status except 200,
        and ``TimeoutError`` if no answer comes within 120 seconds.

        >>> server.decide("arena-zip-slip", diff)["outcome"]  # doctest: +SKIP
        'invalid'
        """
        token = self.service.settings.api_token
        headers = {"content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token.get_secret_value()}"
        body = json.dumps({"vulnerability": vulnerability or None, "diff": diff, "cwe": cwe or None})
        connection = HTTPConnection(urlsplit(self.url).hostname or "", self.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("POST", "/wargaming/ml-first", body, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise UnavailableError(f"{response.status}: {answer.get('detail') or answer.get('title')}")
        return answer


@contextmanager
def serve(settings: Settings) -> Iterator[Server]:
    """Return a context manager that starts a server in a thread, and yields the server once it answers.

    If ``settings.port`` is 0, the server takes a free port. Leaving the block stops the server. Several
    servers may run at once. Entering raises :class:`~crisol.errors.SettingsError` for wrong settings,
    :class:`~crisol.errors.StoreError` if another process keeps the DuckDB file open, and
    :class:`~crisol.errors.UnavailableError` if the server does not start.
    """
    application = Application(settings)
    listener = listen(settings.host, settings.port)
    thread = _ServerThread(application, listener)
    thread.start()
    try:
        thread.wait()
        assert application.service is not None
        assert thread.loop is not None
        port = listener.getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield Server(f"http://{host}:{port}", port, application.service, thread.loop)
    finally:
        thread.stop()
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """Return a TCP socket that listens on the address ``host`` and ``port``; port 0 takes a free one.

    Raises :class:`~crisol.errors.UnavailableError` if the address cannot be used, such as a port that is
    taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; set PORT"
        ) from None
    listener.set_inheritable(True)
    return listener


def configure(application: Any, **options: Any) -> uvicorn.Config:
    """Return a configuration of the server program uvicorn that serves ``application``.

    ``application`` is an ASGI application. The server uses uvloop and :class:`PatientProtocol`, which sets
    time limits for slow clients; it writes no access log. ``options`` are further arguments of
    ``uvicorn.Config``.
    """
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        loop="uvloop",
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        proxy_headers=False,
        backlog=2048,
        **options,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, thread: _ServerThread) -> None:
        super().__init__(config)
        self._thread = thread

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._thread.ready.set()


class _ServerThread(threading.Thread):
    def __init__(self, application: Application, listener: socket.socket) -> None:
        super().__init__(name="crisol-server", daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._application = application
        self._server = _Server(configure(application), self)
        self._listener = listener
        self.ready = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self.loop = runner.get_loop()
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        await self._server.serve(sockets=[self._listener])

    def wait(self) -> None:
        """Wait until the server answers; raise the service's error or ``UnavailableError`` if it fails."""
        if not self.ready.wait(_START_SECONDS):
            raise UnavailableError(f"the server did not start within {_START_SECONDS:g} s")
        if self._application.failure is not None:
            raise self._application.failure
        if not self._server.started:
            raise UnavailableError(f"the server did not start: {self._error or 'the log says why'}")

    def stop(self) -> None:
        self._server.should_exit = True
        self.join(_START_SECONDS)  # a thread that still runs then is left alone
