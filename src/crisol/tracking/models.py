"""The versions of the model ``patch-validity``: list and register them, choose or roll back the champion."""

from __future__ import annotations

import datetime as dt
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path

from crisol.config import Settings
from crisol.errors import StoreError
from crisol.tracking.client import (
    ColSpec,
    MlflowClient,
    MlflowException,
    ModelSignature,
    ModelVersion,
    Schema,
    download_artifacts,
    infer_signature,
    pyfunc,
)
from crisol.tracking.pyfunc import EXAMPLE, TabularModel
from crisol.tracking.registry import CHAMPION, MODEL, local_folder, point_to
from crisol.tracking.runs import TrackedRun
from crisol.tracking.store import is_server, open_client

__all__ = [
    "RegisteredModel",
    "holder",
    "holder_tags",
    "move_alias",
    "record_gate",
    "register",
    "roll_back",
    "versions",
]

_SERVED = "served"
_SINCE = "champion_since"
_NO_MODEL = "RESOURCE_DOES_NOT_EXIST"
_NO_ALIAS = "INVALID_PARAMETER_VALUE"
_INPUTS = Schema([ColSpec("string", "diff"), ColSpec("string", "cwe", required=False)])


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A version of the model ``patch-validity`` in MLflow's registry.

    ``version`` is its number, as text. ``run_id`` is the id of the MLflow run that trained it. ``aliases``
    are the names that it bears, such as ``champion``. ``tags`` maps the names of tags to their texts; the
    properties read single tags.
    """

    version: str
    aliases: tuple[str, ...]
    run_id: str
    tags: Mapping[str, str]

    @property
    def variant(self) -> str:
        """The name of the variant that was trained; "" if it was not recorded."""
        return self.tags.get("variant", "")

    @property
    def vulnerabilities(self) -> int:
        """The number of vulnerabilities on which the model was trained; 0 if it was not recorded."""
        return int(self.tags.get("vulnerabilities", "0"))

    @property
    def gate(self) -> str:
        """``passed``, or why the version may not become champion; "" if it did not go through the gate."""
        return self.tags.get("gate", "")

    @property
    def since(self) -> str:
        """The time at which :func:`move_alias` last made the version champion, in ISO 8601.

        It is "" if :func:`move_alias` never did that. A version that :func:`roll_back` makes champion again
        keeps its earlier time.
        """
        return self.tags.get(_SINCE, "")


def register(run: TrackedRun, folder: Path, tags: Mapping[str, str], alias: str = CHAMPION) -> str:
    """Store a model folder in MLflow, register it as a new version, and return the version's number.

    ``run`` is the run that trained the model. The new version gets the tags ``tags`` and the alias ``alias``;
    as ``champion`` it is the version that services load. If the present holder of the alias has all of
    ``tags``, nothing is stored, and the holder's number is returned. Raises
    :class:`~crisol.errors.StoreError` if the model or the alias cannot be registered.
    """
    try:
        _ensure_model(run.client)
        present = _holder(run.client, alias)
        if present is not None and tags.items() <= present.tags.items():
            return str(present.version)
        with _as_mlflow_model(folder) as place:
            run.client.log_artifacts(run.id, str(place), "model")
        made = run.client.create_model_version(
            MODEL, f"{run.artifacts}/model", run_id=run.id, tags=dict(tags)
        )
    except MlflowException as error:
        raise StoreError(f"model {MODEL!r} cannot be registered: {error}") from error
    move_alias(run.settings, str(made.version), alias)
    return str(made.version)


def versions(settings: Settings) -> list[RegisteredModel]:
    """Return all registered versions of the model ``patch-validity``, the latest first.

    The list is empty if no model was registered. Raises :class:`~crisol.errors.StoreError` if the tracking
    store cannot be opened or read.
    """
    client = open_client(settings)
    try:
        aliases: Mapping[str, str] = client.get_registered_model(MODEL).aliases
        listed = client.search_model_versions(f"name = '{MODEL}'")
    except MlflowException as error:
        if error.error_code == _NO_MODEL:
            return []
        raise _unreadable(error) from error
    return sorted(
        (_record(version, aliases) for version in listed), key=lambda model: int(model.version), reverse=True
    )


def holder(settings: Settings, alias: str = CHAMPION) -> RegisteredModel | None:
    """Return the registered version that has the alias ``alias``, None if no version has it.

    The ``aliases`` of the result hold this alias alone. If ``alias`` is ``champion``, the call also records
    the version's model folder as the one that services load; so a champion that a person chose in the MLflow
    UI takes effect. Raises :class:`~crisol.errors.StoreError` if the tracking store cannot be opened or read.
    """
    version = _holder(open_client(settings), alias)
    if version is None:
        return None
    if alias == CHAMPION:
        try:
            _record_champion(settings, version)
        except MlflowException as error:
            raise _unreadable(error) from error
    return _record(version, {alias: str(version.version)})


def holder_tags(settings: Settings, alias: str = CHAMPION) -> dict[str, str] | None:
    """Return the tags (text by name) of the version that has the alias ``alias``, None if no version has it.

    Raises :class:`~crisol.errors.StoreError` if the tracking store cannot be opened or read.
    """
    model = holder(settings, alias)
    return None if model is None else dict(model.tags)


def move_alias(settings: Settings, version: str, alias: str = CHAMPION) -> None:
    """Give the alias ``alias`` to the registered version with the number ``version``.

    The service loads a version that becomes champion. Raises :class:`~crisol.errors.StoreError` if MLflow
    refuses, for instance because no version has this number.
    """
    client = open_client(settings)
    try:
        client.set_registered_model_alias(MODEL, alias, version)
        if alias == CHAMPION:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
            client.set_model_version_tag(MODEL, version, _SINCE, now)
            _record_champion(settings, client.get_model_version(MODEL, version))
    except MlflowException as error:
        raise StoreError(f"{MODEL}@{alias} cannot be moved to version {version}: {error}") from error


def record_gate(settings: Settings, version: str, found: str) -> None:
    """Record the result of the gate for a registered version.

    ``version`` is the version's number. ``found`` is ``passed``, or the reason why the version may not become
    champion. Raises :class:`~crisol.errors.StoreError` if the tracking store cannot be opened or has no such
    version.
    """
    try:
        open_client(settings).set_model_version_tag(MODEL, version, "gate", found)
    except MlflowException as error:
        raise StoreError(f"version {version} of {MODEL} cannot be marked: {error}") from error


def roll_back(settings: Settings) -> RegisteredModel:
    """Make the previous champion champion again, and return it.

    A second call then returns to the champion before that one, and so on. Raises
    :class:`~crisol.errors.StoreError` if there is no champion or no earlier one, or if the tracking store
    cannot be opened, read or written.
    """
    client, present = open_client(settings), holder(settings)
    if present is None:
        raise StoreError(f"there is no {MODEL}@{CHAMPION} to go back from")
    before = [
        model
        for model in versions(settings)
        if model.since
        and model.version != present.version
        and (not present.since or model.since < present.since)
    ]
    if not before:
        raise StoreError(f"version {present.version} is the first champion; there is none before it")
    last = max(before, key=lambda model: model.since)
    try:
        # The version keeps the time at which it became champion, so that another rollback finds its
        # predecessor.
        client.set_registered_model_alias(MODEL, CHAMPION, last.version)
        _record_champion(settings, client.get_model_version(MODEL, last.version))
    except MlflowException as error:
        raise StoreError(f"{MODEL}@{CHAMPION} cannot go back to version {last.version}: {error}") from error
    return last


def _ensure_model(client: MlflowClient) -> None:
    try:
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _holder(client: MlflowClient, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(MODEL, alias)
    except MlflowException as error:
        if error.error_code in {_NO_MODEL, _NO_ALIAS}:
            return None
        raise _unreadable(error) from error


def _unreadable(error: MlflowException) -> StoreError:
    # The rest of MLflow's message is a statement and its parameters.
    return StoreError(f"model {MODEL!r} cannot be read: {str(error).splitlines()[0]}")


def _record(version: ModelVersion, aliases: Mapping[str, str]) -> RegisteredModel:
    names = tuple(sorted(name for name, number in aliases.items() if str(number) == str(version.version)))
    return RegisteredModel(
        str(version.version),
        names,
        str(version.run_id or ""),
        {str(key): str(value) for key, value in version.tags.items()},
    )


def _record_champion(settings: Settings, version: ModelVersion) -> None:
    if is_server(settings):
        folder = _downloaded(settings, version)
    else:
        folder = local_folder(str(version.source), settings.runs)
    point_to(settings, folder / "data" / _SERVED, str(version.version))


def _downloaded(settings: Settings, version: ModelVersion) -> Path:
    folder = settings.runs.resolve() / "artifacts" / "fetched" / f"{MODEL}-{version.run_id}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            address = str(settings.mlflow_tracking_uri)
            download_artifacts(
                run_id=version.run_id, artifact_path="model", dst_path=place, tracking_uri=address
            )
            (Path(place) / "model").rename(folder)
    except OSError as error:
        # Another process may have downloaded the same version meanwhile.
        if not folder.is_dir():
            raise StoreError(f"version {version.version} of {MODEL} cannot be downloaded: {error}") from error
    return folder


@contextmanager
def _as_mlflow_model(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        served = Path(place) / _SERVED
        served.symlink_to(folder.resolve(), target_is_directory=True)
        # MLflow warns of type hints in its own code.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = infer_signature(TabularModel(folder).predict(EXAMPLE)).inputs
            pyfunc.save_model(
                str(Path(place) / "model"),
                loader_module="crisol.tracking.pyfunc",
                data_path=str(served),
                signature=ModelSignature(inputs=_INPUTS, outputs=answer),
                input_example=EXAMPLE,
                pip_requirements=[f"crisol[lab]=={version_of('crisol')}"],
            )
        yield Path(place) / "model"
