"""The tracking store of MLflow: ``mlruns/mlflow.db`` on this machine, or the one of ``MLFLOW_TRACKING_URI``.

Only the package :mod:`crisol.tracking` imports MLflow. Every call uses a client with an explicit address, so
two stores can be open in one process, and nothing here depends on the current folder.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from crisol.config import Settings
from crisol.errors import StoreError, unwritable
from crisol.tracking.client import MlflowClient, MlflowException

__all__ = ["is_server", "locked", "open_client", "open_store"]

_CONNECT_SECONDS = 10.0
_LOCK_SECONDS = 120.0
_answered: set[str] = set()
"""The addresses of remote stores that have answered this process at least once."""

_log = logging.getLogger(__name__)


def is_server(settings: Settings) -> bool:
    """Return whether the tracking store is an MLflow server (HTTP), which also keeps the runs' files."""
    return (settings.mlflow_tracking_uri or "").startswith(("http://", "https://"))


def open_client(settings: Settings) -> MlflowClient:
    """Return an MLflow client that is connected to the tracking store.

    Raises :class:`~crisol.errors.StoreError` if the store does not answer or cannot be opened.
    """
    return MlflowClient(open_store(settings))


@contextmanager
def locked(runs: Path) -> Iterator[None]:
    """Lock the tracking store during the ``with`` block, so that processes open it one after the other.

    ``runs`` is the absolute path of ``mlruns``; the lock is the file ``.mlflow.lock`` there. Raises
    :class:`~crisol.errors.StoreError` if another process keeps the lock for two minutes, and ``OSError`` if
    the file cannot be written.
    """
    try:
        lock = FileLock(runs / ".mlflow.lock", timeout=_LOCK_SECONDS).acquire()
    except Timeout:
        raise StoreError(
            f"the tracking store at {runs} cannot be opened: another process keeps .mlflow.lock locked; wait "
            "until that process ends, or end it, and try again"
        ) from None
    with lock:
        yield


def open_store(settings: Settings) -> str:
    """Return the URI of the tracking store, after checking that the store answers.

    It is the URI in ``MLFLOW_TRACKING_URI``. If that variable is not set, it is that of the SQLite file
    ``mlruns/mlflow.db``, which the first call creates; several processes may call it at once. Raises
    :class:`~crisol.errors.StoreError` if the store does not answer or cannot be opened.
    """
    runs = settings.runs.resolve()
    if settings.mlflow_tracking_uri is not None:
        return _other_store(settings.mlflow_tracking_uri, runs)
    if any(character in str(runs) for character in "?%"):
        raise StoreError(
            f"{runs}: MLflow's store cannot lie below a folder with ? or % in its name; rename it"
        )
    uri = f"sqlite:///{runs / 'mlflow.db'}"
    ready = runs / ".mlflow-ready"
    try:
        (runs / "artifacts").mkdir(parents=True, exist_ok=True)
        with locked(runs):
            if not (ready.exists() and (runs / "mlflow.db").exists()):
                _make_schema(uri, runs)
                _use_write_ahead_log(runs / "mlflow.db")
                ready.touch()
    except (OSError, MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        if isinstance(error, OSError):
            raise unwritable(runs, error) from None
        # The rest of SQLAlchemy's message is the statement and its parameters.
        text = str(error).splitlines()[0]
        raise StoreError(f"the tracking store at {runs} cannot be opened: {text}") from error
    return uri


def _other_store(uri: str, runs: Path) -> str:
    """Return ``uri`` after a check, once per process, that the store there answers.

    In an empty database, the check creates the schema.
    """
    if uri in _answered:
        return uri
    try:
        (runs / "artifacts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(runs, error) from None
    try:
        _reach(uri)
        with locked(runs):
            MlflowClient(uri).search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, ImportError, OSError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise StoreError(f"MLFLOW_TRACKING_URI: the store does not answer: {text}") from None
    _answered.add(uri)
    return uri


def _reach(uri: str) -> None:
    """Connect once, and raise an exception if that fails: MLflow alone would try again for minutes."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS).close()
    else:
        create_engine(uri, poolclass=NullPool).connect().close()


def _make_schema(uri: str, runs: Path) -> None:
    # Another process examines the file, since MLflow keeps the connections to a file that it has opened.
    look = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"
    if (runs / "mlflow.db").exists() and subprocess.run(
        [sys.executable, "-W", "ignore", "-c", look, uri], capture_output=True, check=False
    ).returncode:
        # The process that made this store died half-way; MLflow can neither complete such a schema nor make
        # it anew. The file is renamed rather than removed: a store that was copied without its mark may hold
        # runs.
        aside = Path(tempfile.mkdtemp(prefix="unusable-store-", dir=runs))
        for part in runs.glob("mlflow.db*"):
            part.replace(aside / part.name)
        _log.warning("%s could not be used and lies in %s now; a new store is made", uri, aside)
    MlflowClient(uri).search_experiments(max_results=1)


def _use_write_ahead_log(database: Path) -> None:
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
