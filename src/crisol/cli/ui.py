"""``crisol ui``: serve MLflow's web pages for the tracked runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crisol.cli.console import out
from crisol.config import load_settings
from crisol.errors import UnavailableError, redacted

__all__ = ["ui"]


def ui(
    port: Annotated[
        int, typer.Option(help="Port of this machine on which the pages are served.", min=1, max=65535)
    ] = 5000,
) -> None:
    """Serve MLflow's web pages for the tracked runs on this machine until interrupted.

    If an MLflow server is the tracking store, print its address and end.
    """
    import os
    import signal
    import socket
    import subprocess
    from contextlib import suppress
    from tempfile import mkdtemp

    from crisol.servers.reaper import Reaper, family
    from crisol.tracking.ui import ui_command, ui_page

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UnavailableError(f"port {port}: {error.strerror}; --port takes another one") from None
    settings = load_settings()
    if (settings.mlflow_tracking_uri or "").startswith(("http://", "https://")):
        out.print(f"MLflow's own server shows the runs: {redacted(str(settings.mlflow_tracking_uri))}")
        return
    command, environment = ui_command(settings, port)
    out.print(f"http://127.0.0.1:{port}/{ui_page(settings)}", soft_wrap=True)
    # MLflow starts processes of its own, which would survive if this process were killed.
    reaper = Reaper(Path(mkdtemp(prefix="crisol-ui-")))
    with subprocess.Popen(command, env=environment) as server:
        reaper.hold(server.pid)
        try:
            code = server.wait()
        except BaseException:
            # The signal came to this process alone; Ctrl-C in a terminal would reach the other processes,
            # too.
            for pid in family(server.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            raise
    if code:
        raise UnavailableError(f"MLflow's UI ended with {code}; its own messages stand above")
