"""The classes and functions of MLflow that Crisol uses; the module switches off MLflow's telemetry first.

Warnings that MLflow's own code causes during its import are suppressed.
"""

from __future__ import annotations

import logging
import os
import warnings

# MLflow reads both once, at its first import, and sends usage data unless they are set.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

# MLflow declares its tables in ways that SQLAlchemy has since deprecated; no code of Crisol is involved.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - loaded here, while warnings are off
    from mlflow import MlflowClient, pyfunc
    from mlflow.artifacts import download_artifacts
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema

__all__ = [
    "ColSpec",
    "Dataset",
    "DatasetInput",
    "InputTag",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "ModelSignature",
    "ModelVersion",
    "Param",
    "Run",
    "RunTag",
    "Schema",
    "download_artifacts",
    "infer_signature",
    "pyfunc",
]

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)
