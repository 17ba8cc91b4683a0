"""The command that starts MLflow's UI for the tracking store, and the page that the UI opens first."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from crisol.tracking.store import open_client, open_store

if TYPE_CHECKING:
    from crisol.config import Settings

__all__ = ["ui_command", "ui_page"]


def ui_command(settings: Settings, port: int) -> tuple[list[str], dict[str, str]]:
    """Return (command, environment variables) that serve the MLflow UI at 127.0.0.1; nothing is started.

    ``port`` is the TCP port. Start the command with these variables alone: they are those of this process,
    and three that configure MLflow, such as the URI of the tracking store. Raises
    :class:`~crisol.errors.StoreError` if the tracking store cannot be opened.
    """
    serve = ["ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # The address may hold a password, and every user of the machine can read a command line.
    return [sys.executable, "-m", "mlflow", *serve], os.environ | {
        "MLFLOW_BACKEND_STORE_URI": open_store(settings),
        # The folder to which the artifacts' addresses are relative.
        "CRISOL_ROOT": str(settings.root.resolve()),
        # Without this MLflow starts half a dozen workers for jobs that Crisol does not use.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def ui_page(settings: Settings) -> str:
    """Return the end of the URL of a page in the MLflow UI, from the ``#`` on: ``#/experiments...``.

    The page shows the runs of one MLflow experiment, that with the latest change. If the store has no
    experiment, the page is the empty list of experiments. Raises :class:`~crisol.errors.StoreError` if the
    tracking store cannot be opened.
    """
    latest = open_client(settings).search_experiments(max_results=1, order_by=["last_update_time DESC"])
    place = f"/{latest[0].experiment_id}/runs" if latest else ""
    return f"#/experiments{place}?workflowType=machine_learning"
