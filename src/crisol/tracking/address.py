"""Addresses of artifacts that are relative to the store: ``crisol:/EXPERIMENT/RUN/artifacts``.

MLflow finds this class by the entry point ``mlflow.artifact_repository`` of the package. The folder
``mlruns`` can therefore be moved or copied with all its runs, and opened from any current folder.
"""

from __future__ import annotations

from pathlib import Path

from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from crisol.config import load_settings
from crisol.tracking.registry import local_folder

__all__ = ["RelativeArtifacts"]


class RelativeArtifacts(LocalArtifactRepository):
    """Keeps artifacts next to the SQLite file that is tracked to, else below the ``mlruns`` of the settings.

    ``tracking_uri`` names that file; MLflow leaves it out where it loads a model by its alias.
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
