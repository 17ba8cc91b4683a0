"""``crisol serve``: the HTTP service, as one process or as several on one port."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crisol.cli.console import err
from crisol.config import load_settings
from crisol.errors import SettingsError

if TYPE_CHECKING:
    import socket

    from crisol.config import Settings


def serve(
    workers: Annotated[int,
        typer.Option(
            min=1, max=64, help="Number of processes behind one port; several need Redis and PostgreSQL."
        )] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on; default CRISOL_HOST, or 127.0.0.1.")] = "",
    port: Annotated[int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port; default PORT, or 8026.")
        ] = None,
) -> None:  # fmt: skip
    """Serve validation over HTTP until interrupted.

    Several workers need a Redis and a PostgreSQL server, see REDIS_URL and
    DATABASE_URL.
    """
    from crisol.service.app import Application
    from crisol.service.embedded import listen
    from crisol.service.logs import configure_logging

    wishes: dict[str, object] = ({"host": host} if host else {}) | ({} if port is None else {"port": port})
    settings = load_settings().model_copy(update=wishes)
    # Errors in the settings are reported here once, instead of by every worker.
    Application(settings)
    if workers > 1 and (settings.redis_url is None or settings.postgres_dsn is None):
        raise SettingsError(
            f"{workers} workers share limits, cache and trials through REDIS_URL and DATABASE_URL (or "
            "POSTGRES_HOST); set both, or serve with one worker"
        )
    configure_logging(settings.log_level)
    # A model that is served by scikit-learn would start threads, which slow down the prediction of one row.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal that ended it once more; a requested end is no failure.
        signal.signal(number, lambda *_: sys.exit(0))
    with listen(settings.host, settings.port) as listener:
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        err.print(f"http://{name}:{listener.getsockname()[1]}")
        if workers == 1:
            _serve_here(settings, listener)
        else:
            _serve_many(settings, listener, workers)


def _serve_here(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    from crisol.service.app import Application
    from crisol.service.embedded import configure

    application = Application(settings, freeze=True)
    try:
        uvicorn.Server(configure(application)).run(sockets=[listener])
    except SystemExit:
        # uvicorn's way to say that the lifespan failed; the application knows why.
        if application.failure is not None:
            raise application.failure from None
        raise


def _serve_many(settings: Settings, listener: socket.socket, workers: int) -> None:
    from uvicorn.supervisors import Multiprocess

    from crisol.service.embedded import configure

    with tempfile.TemporaryDirectory(prefix="crisol-metrics-") as folder:
        os.environ |= {
            "CRISOL_HOST": settings.host,
            "CRISOL_METRICS": str(settings.metrics or Path(folder)),
        }
        # uvicorn kills a worker that is silent for five seconds, and a busy machine starts none in that time.
        config = configure(
            "crisol.service.app:from_environment",
            factory=True,
            workers=workers,
            timeout_worker_healthcheck=60,
        )
        # A worker that dies is replaced.
        Multiprocess(config, sockets=[listener]).run()
