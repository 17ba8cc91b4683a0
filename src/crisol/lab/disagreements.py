"""The split of a corpus table for an experiment, and the trials in which model and wargame disagree."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from crisol.errors import DatasetError, ExperimentError
from crisol.records import Outcome, Trial

__all__ = ["disagreements", "split"]


def split(frame: pd.DataFrame, seed: int, held_out: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a corpus table into (training rows, test rows); no vulnerability is in both.

    ``held_out``, in (0, 1), is the share of the vulnerabilities in the test rows. At least one vulnerability
    is in the test rows, at least two are in the training rows. Inconclusive patches are left out. ``seed``
    draws the vulnerabilities. Raises :class:`~crisol.errors.DatasetError` for fewer than three
    vulnerabilities, or if all training rows are of one class, and :class:`~crisol.errors.ExperimentError` for
    ``held_out`` out of range.
    """
    if not 0 < held_out < 1:
        raise ExperimentError(f"held_out must lie between 0 and 1, not {held_out}")
    conclusive = frame[frame["outcome"] != Outcome.INCONCLUSIVE]
    names = np.array(sorted(conclusive["vulnerability"].unique()))
    if len(names) < 3:
        raise DatasetError(
            f"{len(names)} vulnerabilities have verdicts; a model learns from two at least, and one is "
            "held out"
        )
    count = min(max(round(held_out * len(names)), 1), len(names) - 2)
    chosen = set(np.random.default_rng(seed).permutation(names)[:count])
    outside = conclusive["vulnerability"].isin(chosen)
    learn, meet = conclusive[~outside], conclusive[outside]
    if learn["outcome"].nunique() < 2:
        raise DatasetError(
            "all patches that the model may learn from have the same verdict; choose another seed"
        )
    return learn.reset_index(drop=True), meet.reset_index(drop=True)


def disagreements(trials: Iterable[Trial], frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the trials whose prediction contradicts the verdict.

    An inconclusive trial has no row. The rows of false accepts come before those of false rejects; within
    each kind, the row with the most confident prediction is first. Columns: kind (``false accept`` or
    ``false reject``), vulnerability, name (of the patch), probability (the model's, of valid), outcome,
    reason, diff. Names and diffs come from the corpus table ``frame``. Raises ``KeyError`` where ``frame``
    lacks the patch of a row.
    """
    labels = frame.drop_duplicates(["vulnerability", "id"]).set_index(["vulnerability", "id"])[
        ["name", "diff"]
    ]
    rows = []
    for trial in trials:
        if trial.correct is not False:
            continue
        name, text = labels.loc[[(trial.vulnerability, trial.patch)]].to_numpy()[0]
        rows.append(
            {
                "kind": "false accept" if trial.predicted_valid else "false reject",
                "vulnerability": trial.vulnerability,
                "name": name,
                "probability": trial.probability,
                "outcome": str(trial.outcome),
                "reason": str(trial.reason or ""),
                "diff": text,
                "confidence": trial.confidence,
            }
        )
    columns = ["kind", "vulnerability", "name", "probability", "outcome", "reason", "diff", "confidence"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(
        ["kind", "confidence", "name"], ascending=[True, False, True], ignore_index=True
    )
    return table.drop(columns="confidence")
