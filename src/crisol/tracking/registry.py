"""Who is champion, read straight from MLflow's store: predicting and serving do not wait for MLflow to load."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from crisol.errors import StoreError

if TYPE_CHECKING:
    from crisol.config import Settings

__all__ = ["CHALLENGER", "CHAMPION", "MODEL", "holder"]

MODEL = "patch-validity"
CHAMPION = "champion"
CHALLENGER = "challenger"

_QUERY = """
SELECT v.storage_location FROM registered_model_aliases a
JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
WHERE a.name = ? AND a.alias = ?
"""


def holder(settings: Settings, alias: str = CHAMPION) -> Path:
    """Return the folder of the model version that holds an alias, whoever gave it: Crisol or the MLflow UI.

    Raises :class:`~crisol.errors.StoreError` where no model was registered yet, or the registry cannot be read.
    """
    database = settings.runs / "mlflow.db"
    missing = f"no {MODEL}@{alias} yet; `crisol run experiments/compare_variants.yaml` makes one"
    if not database.is_file():
        raise StoreError(missing)
    try:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            row = connection.execute(_QUERY, (MODEL, alias)).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{database}: the model registry cannot be read: {error}") from None
    if row is None:
        raise StoreError(missing)
    return Path(unquote(urlsplit(str(row[0])).path))
