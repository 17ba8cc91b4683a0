"""Trials of a varied population, and a schema of one's own to keep them in."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from contextlib import ExitStack
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from crisol.abtest import observe
from crisol.records import Outcome, Prediction, Reason, Trial

NOW = dt.datetime(2026, 5, 17, 12, 34, 56, 789_012, tzinfo=dt.UTC)


def make_trial(i: int, rng: random.Random | None = None, **changes: Any) -> Trial:
    """Give the i-th trial of a varied population."""
    rng = rng or random.Random(i)
    outcome = rng.choice(list(Outcome))
    reason = {
        Outcome.VALID: None,
        Outcome.INVALID: rng.choice([None, Reason.EXPLOIT_SURVIVES, Reason.VARIANT_SURVIVES]),
        Outcome.INCONCLUSIVE: Reason.SANDBOX_FAILED,
    }[outcome]
    values = {
        "patch": f"patch-{i}",
        "vulnerability": f"CVE-2025-{i % 7}",
        "cwe": f"CWE-{i % 3}",
        "experiment": f"experiment-{i % 2}",
        "arm": rng.choice(["champion", "challenger"]),
        "outcome": outcome,
        "reason": reason,
        "sampling_probability": rng.choice([0.1, 1.0, 1 / 3]),
        "created_at": NOW - dt.timedelta(hours=rng.uniform(0.0, 80.0)),
        "wargame_seconds": rng.random(),
        "rung": rng.choice(["", "memory", "model"]),
        "decided": rng.choice([None, Outcome.VALID, Outcome.INVALID]),
        "content_hash": "c" * 64,
        "referee": "17",
        "program": f"program-{i % 5}",
    }
    probability = changes.pop("probability", rng.choice([0.0, 0.5, 0.6, 0.7, 0.9, 1.0, rng.random()]))
    prediction = Prediction(probability, changes.pop("model_version", rng.choice(["m1", "m2"])), "f1", 0.001)
    return observe(prediction, **(values | changes))


def private_schema(dsn: str, stack: ExitStack) -> str:
    """Return the DSN of a new schema of the shared server, dropped with the stack."""
    schema = f"s{uuid.uuid4().hex}"
    connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))
    connection.execute(f"CREATE SCHEMA {schema}".encode())
    stack.callback(lambda: connection.execute(f"DROP SCHEMA {schema} CASCADE".encode()))
    return make_conninfo(dsn, options=f"-c search_path={schema}")


class closing:  # noqa: N801 - reads like contextlib's, keeps the type
    """Close a store at the end."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __enter__(self) -> Any:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()
