"""Tracking: runs, metrics, figures, data sets and registered models, kept by MLflow on this machine.

The only module that knows MLflow. Everything goes through a client with an explicit address, so that two
stores can be open in one process and nothing here depends on the current folder.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd
from filelock import BaseFileLock, FileLock, Timeout
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from crisol.config import Settings
from crisol.errors import StoreError, unwritable
from crisol.tracking.picture import Picture
from crisol.tracking.registry import CHAMPION, MODEL, point_to

# MLflow reads both once, when it is first imported, and reports home unless they are set.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

# MLflow declares its tables in ways that SQLAlchemy has since deprecated; no code of Crisol is involved.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - loaded here, while warnings are off
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

__all__ = [
    "TrackedRun",
    "holder_tags",
    "join",
    "move_alias",
    "open_store",
    "start",
    "ui_command",
    "ui_page",
]


_OURS = "crisol"
_LONGEST_VALUE = 6000
_LONGEST_DIGEST = 36
_CONNECT_SECONDS = 10.0
_answered: set[str] = set()
"""The stores elsewhere that have answered this process once."""

_log = logging.getLogger(__name__)

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)


def open_store(settings: Settings) -> str:
    """Return the URI of the MLflow store, creating ``mlruns/mlflow.db`` on first use.

    With ``MLFLOW_TRACKING_URI`` it is that server or database; artifacts stay below ``mlruns``. The schema is
    created under a file lock, because concurrent first uses corrupt it. Raises
    :class:`~crisol.errors.StoreError` where the store does not answer or cannot be opened.
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
        with FileLock(runs / ".mlflow.lock", timeout=120):
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
    """Return the address of a store elsewhere once it has answered; the first caller makes its schema."""
    if uri in _answered:
        return uri
    try:
        (runs / "artifacts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(runs, error) from None
    try:
        _reach(uri)
        with FileLock(runs / ".mlflow.lock", timeout=120):
            MlflowClient(uri).search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, ImportError, OSError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise StoreError(f"MLFLOW_TRACKING_URI: the store does not answer: {text}") from None
    _answered.add(uri)
    return uri


def _reach(uri: str) -> None:
    """Raise what keeps a server from being reached; MLflow would try again for minutes."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS).close()
    else:
        create_engine(uri, poolclass=NullPool).connect().close()


def _make_schema(uri: str, runs: Path) -> None:
    # Another process looks at it, since MLflow keeps connections to a file that it has opened once.
    look = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments(max_results=1)"
    if (runs / "mlflow.db").exists() and subprocess.run(
        [sys.executable, "-W", "ignore", "-c", look, uri], capture_output=True, check=False
    ).returncode:
        # Its maker died half-way, and MLflow neither goes on with such a schema nor makes it anew. It is set
        # aside rather than removed: a store that was copied without its mark may hold runs.
        aside = Path(tempfile.mkdtemp(prefix="unusable-store-", dir=runs))
        for part in runs.glob("mlflow.db*"):
            part.replace(aside / part.name)
        _log.warning("%s could not be used and lies in %s now; a new store is made", uri, aside)
    MlflowClient(uri).search_experiments(max_results=1)


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One open MLflow run; its figures and files appear in the MLflow UI under its id.

    ``artifacts`` is the URI of its artifact folder. ``alive`` is a file lock held by the process that opened
    the run, None for a run that this object only joined.
    """

    settings: Settings
    id: str
    client: MlflowClient
    artifacts: str
    alive: BaseFileLock | None
    """The lock of the process that opened this run; the system releases it when that process dies."""

    @property
    def folder(self) -> Path:
        """The folder of this run's artifacts."""
        return _local(self.artifacts)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers by name at a ``step``; None and NaN are left out."""
        now = int(time.time() * 1000)
        rows = [Metric(k, float(v), now, step) for k, v in values.items() if v is not None and v == v]  # noqa: PLR0124 - NaN
        for start_at in range(0, len(rows), 1000):
            self.client.log_batch(self.id, metrics=rows[start_at : start_at + 1000])

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters as text, cut to 6,000 characters."""
        rows = [Param(k, str(v)[:_LONGEST_VALUE]) for k, v in values.items()]
        for start_at in range(0, len(rows), 100):
            self.client.log_batch(self.id, params=rows[start_at : start_at + 100])

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; those that exist are replaced."""
        self.client.log_batch(self.id, tags=[RunTag(k, str(v)) for k, v in values.items()])

    def content(self, name: str, content: bytes | str) -> None:
        """Store an artifact at the relative path ``name``, such as ``figures/roc.png``."""
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path.name
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            self.client.log_artifact(self.id, str(file), str(path.parent) if path.parent.parts else None)

    def picture(self, name: str, picture: Picture) -> Picture:
        """Store a picture as ``figures/NAME.png`` and its caption as ``figures/NAME.txt``.

        Return the picture.
        """
        self.content(f"figures/{name}.png", picture.png)
        self.content(f"figures/{name}.txt", picture.caption)
        return picture

    def file(self, path: Path, folder: str | None = None) -> None:
        """Store an existing file as an artifact, below the relative path ``folder``; None means the top."""
        self.client.log_artifact(self.id, str(path), folder)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Store a table as ``tables/NAME.csv``, and as ``tables/NAME.json`` with types."""
        self.content(f"tables/{name}.csv", frame.to_csv(index=False))
        self.content(f"tables/{name}.json", _to_json(frame))

    def input(self, name: str, frame: pd.DataFrame, content_hash: str, source: str) -> None:
        """Record a data set that this run used: columns, number of rows, content hash and ``source`` URI."""
        dataset = Dataset(
            name=name,
            digest=content_hash[:_LONGEST_DIGEST],
            source_type="local",
            source=json.dumps({"uri": source}),
            schema=json.dumps({"columns": {str(k): str(v) for k, v in frame.dtypes.items()}}),
            profile=json.dumps({"num_rows": len(frame)}),
        )
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "corpus")])]
        try:
            self.client.log_inputs(self.id, inputs)
        except MlflowException:
            # MLflow looks for the data set, then adds it; another run may add it in between. The second look
            # finds it.
            self.client.log_inputs(self.id, inputs)
        self.tags({f"{name}.content_hash": content_hash})

    def register(self, folder: Path, tags: Mapping[str, str], alias: str = CHAMPION) -> str:
        """Store a model's folder and register it as a version of ``patch-validity``; return the version.

        The version gets the ``alias``. Where its present holder already carries all of ``tags``, no version
        is made and the holder's is returned. Raises :class:`~crisol.errors.StoreError`.
        """
        self.client.log_artifacts(self.id, str(folder), "model")
        try:
            self.client.create_registered_model(MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise StoreError(f"model {MODEL!r} cannot be registered: {error}") from error
        holder = _holder(self.client, alias)
        if holder is not None and tags.items() <= holder.tags.items():
            return str(holder.version)
        source = f"{self.artifacts}/model"
        version = str(
            self.client.create_model_version(MODEL, source, run_id=self.id, tags=dict(tags)).version
        )
        move_alias(self.settings, version, alias)
        return version

    def finish(self, *, failed: bool = False) -> None:
        """End the run as finished or ``failed``, if this object opened it; a joined run stays open."""
        if self.alive is not None:
            self.client.set_terminated(self.id, "FAILED" if failed else "FINISHED")
            self.alive.release()


def join(settings: Settings, run_id: str, name: str) -> TrackedRun:
    """Return the open run with the id ``run_id``, or, where that is empty, a new run named ``name``.

    A new run belongs to the MLflow experiment of the same name. Raises :class:`~crisol.errors.StoreError`.
    """
    client = MlflowClient(open_store(settings))
    try:
        if run_id:
            return TrackedRun(settings, run_id, client, client.get_run(run_id).info.artifact_uri, alive=None)
        with FileLock(settings.runs.resolve() / ".mlflow.lock", timeout=120):
            experiment = _experiment_id(client, settings, name)
            _bury(client, settings, experiment)
            run = client.create_run(experiment, run_name=name, tags={_OURS: "true"})
            alive = _alive(settings, run.info.run_id)
            alive.acquire()
    except MlflowException as error:
        raise StoreError(f"run {run_id or name!r} cannot be opened: {error}") from error
    return TrackedRun(settings, run.info.run_id, client, run.info.artifact_uri, alive)


@contextmanager
def start(settings: Settings, name: str) -> Iterator[TrackedRun]:
    """Open a new run in the MLflow experiment ``name``, as a context manager that yields it.

    The run ends as finished, or as failed where the block raises. Raises :class:`~crisol.errors.StoreError`.
    """
    run = join(settings, "", name)
    try:
        yield run
    except BaseException:
        run.finish(failed=True)
        raise
    run.finish()


def holder_tags(settings: Settings, alias: str = CHAMPION) -> dict[str, str] | None:
    """Return the tags of the version that holds an alias, such as its ``variant``; None where none does.

    If it is the champion, its folder is recorded as the one to serve, so that a choice made in the MLflow UI
    counts.
    """
    version = _holder(MlflowClient(open_store(settings)), alias)
    if version is None:
        return None
    if alias == CHAMPION:
        point_to(settings, _local(str(version.source)), str(version.version))
    return {str(k): str(v) for k, v in version.tags.items()}


def move_alias(settings: Settings, version: str, alias: str = CHAMPION) -> None:
    """Give an alias of ``patch-validity`` to a registered version.

    That of the champion is served from then on. Raises :class:`~crisol.errors.StoreError`.
    """
    client = MlflowClient(open_store(settings))
    try:
        client.set_registered_model_alias(MODEL, alias, version)
        if alias == CHAMPION:
            point_to(settings, _local(str(client.get_model_version(MODEL, version).source)), version)
    except MlflowException as error:
        raise StoreError(f"{MODEL}@{alias} cannot be moved to version {version}: {error}") from error


def ui_command(settings: Settings, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves the MLflow UI on 127.0.0.1, and its environment variables."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    # The address may hold a password, and every user of the machine can read a command line.
    return command, os.environ | {"MLFLOW_BACKEND_STORE_URI": open_store(settings)}


def ui_page(settings: Settings) -> str:
    """Return the URL fragment of the MLflow UI's page on the experiment that changed last."""
    client = MlflowClient(open_store(settings))
    latest = client.search_experiments(max_results=1, order_by=["last_update_time DESC"])
    place = f"/{latest[0].experiment_id}/runs" if latest else ""
    return f"#/experiments{place}?workflowType=machine_learning"


def _local(address: str) -> Path:
    return Path(url2pathname(urlsplit(address).path))


def _to_json(frame: pd.DataFrame) -> str:
    rows = json.loads(frame.to_json(orient="values", double_precision=15))
    return json.dumps({"columns": [str(name) for name in frame.columns], "rows": rows})


def _experiment_id(client: MlflowClient, settings: Settings, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    location = (settings.runs.resolve() / "artifacts" / name).as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _holder(client: MlflowClient, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(MODEL, alias)
    except MlflowException:
        return None


def _alive(settings: Settings, run_id: str) -> BaseFileLock:
    folder = settings.runs.resolve() / ".alive"
    folder.mkdir(exist_ok=True)
    return FileLock(folder / run_id, timeout=0, thread_local=False)


def _bury(client: MlflowClient, settings: Settings, experiment: str) -> None:
    """Mark the runs whose process died before it ended them as killed."""
    for run in client.search_runs([experiment], f"attributes.status = 'RUNNING' and tags.{_OURS} = 'true'"):
        try:
            with _alive(settings, run.info.run_id):
                client.set_terminated(run.info.run_id, "KILLED")
        except Timeout:
            continue


def _use_write_ahead_log(database: Path) -> None:
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
