"""The ASGI application of one worker: middleware around the HTTP routes.

``uvicorn crisol.service.app:from_environment --factory`` serves it; :func:`crisol.service.embedded.serve`
does so in a thread.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
from contextlib import AsyncExitStack, nullcontext
from typing import TYPE_CHECKING

from crisol.config import load_settings
from crisol.errors import CrisolError, SettingsError
from crisol.resilience.adaptive import AdaptiveShare
from crisol.service.address import TrustedProxies
from crisol.service.api import api
from crisol.service.core import open_service
from crisol.service.gate import Gate
from crisol.service.instruments import Instruments
from crisol.service.limits import rates, route, targets
from crisol.service.logs import configure_logging
from crisol.service.ratelimit import RateLimitMiddleware
from crisol.service.responder import Responder
from crisol.service.shield import LOOPBACK, Shield, allowed_hosts

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from crisol.config import Settings
    from crisol.service.asgi import App, Receive, Scope, Send
    from crisol.service.core import Service
    from crisol.service.spans import Spans

__all__ = ["Application", "from_environment"]

_PR_SET_PDEATHSIG = 1
_log = logging.getLogger(__name__)


class Application:
    """The ASGI application: it opens its service when the server starts, and closes it when the server stops.

    ``service`` is None before the start. ``failure`` is the error if the service could not be opened, else
    None; the server does not start after such an error. With ``freeze``, all objects loaded at the start are
    exempt from garbage collection; use it in a process that does nothing but serve. Raises
    :class:`~crisol.errors.SettingsError` for contradictory ``settings``, before anything is opened.
    """

    def __init__(self, settings: Settings, *, freeze: bool = False) -> None:
        self.settings = settings
        self._freeze = freeze
        self.service: Service | None = None
        self.failure: CrisolError | None = None
        """Why the service could not be opened."""
        self._app: App | None = None
        self._hosts = allowed_hosts(settings.allowed_hosts, host=settings.host)
        self._trusted = TrustedProxies.parse(settings.trusted_proxies)
        rates(settings.rate_limits)
        targets(settings.adaptive_limits)
        if settings.api_token is None and settings.host not in LOOPBACK:
            raise SettingsError(
                f"CRISOL_HOST is {settings.host}: without CRISOL_API_TOKEN the service listens on loopback "
                "only"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the start and the stop of the server, as ``scope`` says.

        The signature is that of every ASGI application. At the start the service is opened, at the stop it is
        closed. A request before the start raises ``AssertionError``.
        """
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._app is not None, "the server did not run the lifespan"
        await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                spans = stack.enter_context(_spans(self.settings.otel_exporter_otlp_endpoint))
                self.service = await stack.enter_async_context(open_service(self.settings))
                self._app = self._build(self.service, spans)
                await self.service.refresh()
                if self._freeze:
                    gc.collect()
                    gc.freeze()
                    # A parsed diff consists of thousands of small objects without reference cycles. At the
                    # default threshold of 700 the search for cycles took a quarter of the time of an answer
                    # that is not cached.
                    gc.set_threshold(50_000, 20, 100)
            except CrisolError as error:
                self.failure = error
                await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            # Without this, extension modules report objects that the interpreter did not collect at its end.
            gc.unfreeze()
        await send({"type": "lifespan.shutdown.complete"})

    def _build(self, service: Service, spans: Spans | None) -> App:
        settings = self.settings
        shares = {
            name: AdaptiveShare(policy, strained=service.strained)
            for name, policy in targets(settings.adaptive_limits).items()
        }
        instruments = Instruments(service, shares, spans)
        token = settings.api_token
        gate = Gate(
            api(service, instruments.metrics),
            limit=settings.body_limit,
            token=None if token is None else token.get_secret_value(),
            reads_open=settings.reads == "open",
        )
        limiter = RateLimitMiddleware(
            gate, service.shared.buckets, route=route, trusted=self._trusted, adaptive=shares
        )
        shield = Shield(limiter, self._hosts, loopback_only=token is None)
        traced = 0.0 if spans is None else settings.otel_traces_sampler_arg
        return Responder(shield, instruments.record, traced=traced)


def _spans(endpoint: str | None) -> AbstractContextManager[Spans | None]:
    if endpoint is None:
        return nullcontext()
    try:
        from crisol.service.spans import open_spans  # noqa: PLC0415 - whoever sends none does not pay for loading it
    except ModuleNotFoundError:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: sending spans needs Crisol's extra otel, in a checkout by "
            "pip install '.[otel]'"
        ) from None
    return open_spans(endpoint)


def from_environment() -> Application:
    """Return the ASGI application that the environment variables describe.

    Each worker process calls this function. The call also sets up logging, and lets the worker end when its
    supervisor process dies. Raises :class:`~crisol.errors.SettingsError` for a wrong or contradictory
    setting.
    """
    _end_with_parent()
    settings = load_settings()
    configure_logging(settings.log_level)
    return Application(settings, freeze=True)


def _end_with_parent() -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor.pid:
        # The supervisor died before the call above.
        os.kill(os.getpid(), signal.SIGTERM)
