"""Tracked runs: metrics, parameters, figures, tables and data sets, stored by MLflow.

::

    with runs.start(settings, "compare") as run:
        run.params({"seed": 0})
        with run.child("lightgbm") as variant:  # a nested run, with the parameters and data sets of `run`
            variant.metrics({"auc": 0.75})
"""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from filelock import BaseFileLock, FileLock, Timeout

from crisol.config import Settings
from crisol.errors import StoreError
from crisol.tracking.client import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    MlflowClient,
    MlflowException,
    Param,
    RunTag,
    download_artifacts,
)
from crisol.tracking.picture import Picture
from crisol.tracking.registry import SCHEME, local_folder
from crisol.tracking.store import is_server, locked, open_client, open_store

__all__ = ["EXPERIMENT_TAG", "TrackedRun", "join", "of_trials", "start"]

EXPERIMENT_TAG = "crisol.experiment"
"""The tag that holds the name under which the trials of a run are stored."""

_OURS = "crisol"
_LONGEST_VALUE = 6000
_LONGEST_DIGEST = 36


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """An open MLflow run, with methods that write parameters, metrics, tables and files into it.

    ``settings`` name the tracking store, to which ``client`` is connected. ``id`` is the run's id in MLflow,
    ``artifacts`` the URI of its files. ``alive`` is a file lock that this process holds until the run is
    finished. The system releases the lock if the process dies, and so shows other processes that the run has
    no owner any more. ``alive`` is None for a nested run, and for a run that another process opened. The
    methods that write raise MLflow's ``MlflowException`` if the tracking store does not accept the data.
    """

    settings: Settings
    id: str
    client: MlflowClient
    artifacts: str
    alive: BaseFileLock | None
    """The lock of the process that opened this run; the system releases it when that process dies."""

    def fetch(self) -> Path:
        """Return the folder on this machine that holds the run's files.

        If the files are on an MLflow server, they are first downloaded into a folder below ``mlruns``.
        """
        if not is_server(self.settings):
            return local_folder(self.artifacts, self.settings.runs)
        folder = self.settings.runs.resolve() / "artifacts" / "fetched" / self.id
        folder.mkdir(parents=True, exist_ok=True)
        address = str(self.settings.mlflow_tracking_uri)
        download_artifacts(run_id=self.id, dst_path=str(folder), tracking_uri=address)
        return folder

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record metrics, by name; None and nan are left out.

        ``step`` is MLflow's step, which orders several values of one metric.
        """
        now = int(time.time() * 1000)
        rows = [Metric(k, float(v), now, step) for k, v in values.items() if v is not None and v == v]  # noqa: PLR0124 - NaN
        for start_at in range(0, len(rows), 1000):
            self.client.log_batch(self.id, metrics=rows[start_at : start_at + 1000])

    def params(self, values: Mapping[str, Any]) -> None:
        """Record parameters, by name, as texts; each is cut after 6,000 characters.

        MLflow refuses, with ``MlflowException``, to change a parameter that the run already has.
        """
        rows = [Param(k, str(v)[:_LONGEST_VALUE]) for k, v in values.items()]
        for start_at in range(0, len(rows), 100):
            self.client.log_batch(self.id, params=rows[start_at : start_at + 100])

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags, by name; a tag of the same name is replaced."""
        self.client.log_batch(self.id, tags=[RunTag(k, str(v)) for k, v in values.items()])

    def content(self, name: str, content: bytes | str) -> None:
        """Store a text or bytes as a file of the run; ``name`` is its path, such as ``figures/roc.png``."""
        path = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path.name
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            self.client.log_artifact(self.id, str(file), str(path.parent) if path.parent.parts else None)

    def picture(self, name: str, picture: Picture) -> Picture:
        """Store a picture in the run and return it.

        The image becomes ``figures/NAME.png``, the caption ``figures/NAME.txt``, where NAME is ``name``.
        """
        self.content(f"figures/{name}.png", picture.png)
        self.content(f"figures/{name}.txt", picture.caption)
        return picture

    def file(self, path: Path, folder: str | None = None) -> None:
        """Store a copy of the file ``path`` in the run's folder ``folder``; None means the top folder."""
        self.client.log_artifact(self.id, str(path), folder)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Store a data frame in the run, as ``tables/NAME.csv`` and ``tables/NAME.json``; NAME is ``name``.

        The index is left out. The JSON is an object with ``columns`` and ``rows``; its numbers stay numbers.
        """
        self.content(f"tables/{name}.csv", frame.to_csv(index=False))
        self.content(f"tables/{name}.json", _to_json(frame))

    def input(self, name: str, frame: pd.DataFrame, content_hash: str, source: str) -> None:
        """Record that the run used the data set ``frame``, under the name ``name``.

        ``content_hash`` is a hash of the data, ``source`` their URI. MLflow shows the data set with its
        columns. The run gets the parameters ``NAME.rows``, ``NAME.hash`` (the first 12 characters) and, for a
        table with a column ``vulnerability``, ``NAME.vulnerabilities``.
        """
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
        sizes = {"rows": len(frame), "hash": content_hash[:12]}
        if "vulnerability" in frame:
            sizes["vulnerabilities"] = frame["vulnerability"].nunique()
        self.params({f"{name}.{what}": value for what, value in sizes.items()})

    @contextmanager
    def child(self, name: str, params: Mapping[str, Any] | None = None) -> Iterator[TrackedRun]:
        """Open a nested run below this one, as a context manager that yields it.

        ``name`` is the name of the nested run. The nested run gets the parameters and data sets of this run,
        and in addition the parameters ``params``. The nested run ends with the block: as failed if the block
        raises, otherwise as finished.
        """
        parent = self.client.get_run(self.id)
        tags = {
            **{key: value for key, value in parent.data.tags.items() if key in _INHERITED},
            "mlflow.parentRunId": self.id,
        }
        run = self.client.create_run(parent.info.experiment_id, run_name=name, tags=tags)
        nested = TrackedRun(self.settings, run.info.run_id, self.client, run.info.artifact_uri, alive=None)
        nested.params(parent.data.params | dict(params or {}))
        if parent.inputs is not None and parent.inputs.dataset_inputs:
            self.client.log_inputs(nested.id, parent.inputs.dataset_inputs)
        try:
            yield nested
        except BaseException:
            self.client.set_terminated(nested.id, "FAILED")
            raise
        self.client.set_terminated(nested.id, "FINISHED")

    def finish(self, *, failed: bool = False) -> None:
        """End the run in MLflow; its status is then failed if ``failed`` is True, otherwise finished.

        A run that another process opened is not ended.
        """
        if self.alive is not None:
            self.client.set_terminated(self.id, "FAILED" if failed else "FINISHED")
            self.alive.release()


def join(settings: Settings, run_id: str, name: str) -> TrackedRun:
    """Return the run with the id ``run_id``, or open a new run if ``run_id`` is "".

    An existing run should be open; this is not checked. A new run has the name ``name``, and belongs to the
    MLflow experiment of that name; end it by :meth:`TrackedRun.finish`. Raises
    :class:`~crisol.errors.StoreError` if the tracking store does not answer, is locked by another process
    for two minutes, or has no run with the id.
    """
    client = MlflowClient(open_store(settings))
    try:
        if run_id:
            return TrackedRun(settings, run_id, client, client.get_run(run_id).info.artifact_uri, alive=None)
        with locked(settings.runs.resolve()):
            experiment = _experiment_id(client, settings, name)
            _kill_orphans(client, settings, experiment)
            run = client.create_run(
                experiment, run_name=name, tags={_OURS: "true", **_provenance(settings.root)}
            )
            alive = _alive(settings, run.info.run_id)
            alive.acquire()
    except MlflowException as error:
        raise StoreError(f"run {run_id or name!r} cannot be opened: {error}") from error
    return TrackedRun(settings, run.info.run_id, client, run.info.artifact_uri, alive)


@contextmanager
def start(settings: Settings, name: str) -> Iterator[TrackedRun]:
    """Return a context manager that opens a new MLflow run and yields it.

    ``name`` is the name of the run and of its MLflow experiment. The run ends with the block: as failed if
    the block raises, otherwise as finished. Entering raises :class:`~crisol.errors.StoreError` if the
    tracking store does not answer.
    """
    run = join(settings, "", name)
    try:
        yield run
    except BaseException:
        run.finish(failed=True)
        raise
    run.finish()


_INHERITED = {
    "mlflow.user",
    "mlflow.source.name",
    "mlflow.source.type",
    "mlflow.source.git.commit",
    "crisol.version",
    "crisol.changed",
}


@cache
def _provenance(root: Path) -> dict[str, str]:
    tags = {
        "mlflow.source.name": "crisol",
        "mlflow.source.type": "LOCAL",
        "crisol.version": version("crisol"),
    }
    try:
        tags["mlflow.user"] = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        tags["mlflow.user"] = "unknown"
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return tags
    if done.returncode == 0:
        commit, _, changed = done.stdout.strip().partition("-")
        tags |= {"mlflow.source.git.commit": commit, "crisol.changed": "true" if changed else "false"}
    return tags


def _to_json(frame: pd.DataFrame) -> str:
    rows = json.loads(frame.to_json(orient="values", double_precision=15))
    return json.dumps({"columns": [str(name) for name in frame.columns], "rows": rows})


def of_trials(settings: Settings, experiment: str) -> str:
    """Return the id of the latest MLflow run that stored its trials for the A/B experiment ``experiment``.

    ``experiment`` is the experiment's name in the trial store. The id is "" if there is no such run. Raises
    :class:`~crisol.errors.StoreError` if the tracking store cannot be opened.
    """
    client = open_client(settings)
    ids = [listed.experiment_id for listed in client.search_experiments()]
    # A filter has no escape for quotes. `_` stands for any character, so the names are compared below.
    pattern = re.sub(r"['\\]", "_", experiment)
    latest = client.search_runs(
        ids,
        f"tags.`{EXPERIMENT_TAG}` LIKE '{pattern}'",
        order_by=["attributes.start_time DESC"],
    )
    tops = (
        run.info.run_id
        for run in latest
        if run.data.tags[EXPERIMENT_TAG] == experiment and "mlflow.parentRunId" not in run.data.tags
    )
    return next(tops, "")


def _experiment_id(client: MlflowClient, settings: Settings, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    if is_server(settings):
        return str(client.create_experiment(name))
    if entry_points(group="mlflow.artifact_repository", name=SCHEME):
        location = f"{SCHEME}:/{quote(name)}"
    else:  # a source tree that is not installed: MLflow does not know the scheme
        location = (settings.runs.resolve() / "artifacts" / name).as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def _alive(settings: Settings, run_id: str) -> BaseFileLock:
    folder = settings.runs.resolve() / ".alive"
    folder.mkdir(exist_ok=True)
    return FileLock(folder / run_id, timeout=0, thread_local=False)


def _kill_orphans(client: MlflowClient, settings: Settings, experiment: str) -> None:
    for run in client.search_runs([experiment], f"attributes.status = 'RUNNING' and tags.{_OURS} = 'true'"):
        # A run without a lock here belongs to another machine that shares the store.
        if not (settings.runs / ".alive" / run.info.run_id).exists():
            continue
        try:
            with _alive(settings, run.info.run_id):
                # The lock was free, so the process that opened the run has died.
                client.set_terminated(run.info.run_id, "KILLED")
        except Timeout:
            continue
