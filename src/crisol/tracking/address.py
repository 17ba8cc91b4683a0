"""Addresses of artifacts that are relative to the tracking store: ``crisol:/EXPERIMENT/RUN/artifacts``.

Since the addresses are relative, the folder ``mlruns`` can be moved or copied with all its runs. The working
directory of a process does not matter. MLflow finds :class:`RelativeArtifacts` by the entry point
``mlflow.artifact_repository`` of the package.
"""

from __future__ import annotations

from pathlib import Path

from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from crisol.config import load_settings
from crisol.tracking.registry import local_folder

__all__ = ["RelativeArtifacts"]


class RelativeArtifacts(LocalArtifactRepository):
    """MLflow's artifact repository for addresses ``crisol:/...``, which are relative to the runs' folder.

    MLflow makes the object. ``artifact_uri`` is an address of this kind. ``tracking_uri`` is the URI of the
    tracking store; None means the store that MLflow uses now. If the store is a SQLite file, the addresses
    are relative to the folder of that file, otherwise to the folder ``mlruns`` of the settings
    (``settings.runs``). ``registry_uri`` is passed on to MLflow.
    """

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        # MLflow imports this module while it is imported itself.
        from mlflow import get_tracking_uri, is_tracking_uri_set  # noqa: PLC0415 - see above

        known = is_tracking_uri_set()  # type: ignore[no-untyped-call]  # MLflow gives it no types
        store = tracking_uri or (get_tracking_uri() if known else "")
        runs = (
            Path(store.removeprefix("sqlite:///")).parent
            if store.startswith("sqlite:///")
            else load_settings().runs
        )
        super().__init__(local_folder(artifact_uri, runs).as_uri(), tracking_uri, registry_uri)
