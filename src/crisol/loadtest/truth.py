"""Check the answers of a service against the verdicts of a corpus table and the model's predictions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.loadtest.material import Item
from crisol.model.policy import Policy

__all__ = ["wrong"]

_NEAR = 1e-4
_SURVIVES = frozenset({"exploit_survives", "variant_survives"})
_OF_SCRIPTS = _SURVIVES | {"breaks_function"}
"""The reasons of which one may replace another: which script fails first depends on the order of the scripts,
which the service learns, and on the seed."""


def wrong(samples: pd.DataFrame, kinds: Sequence[tuple[str, Item]], policy: Policy) -> NDArray[np.bool_]:
    """Return which answers contradict the known verdict or prediction of their patch.

    The result is a mask, shape (number of rows of ``samples``,), True for a wrong answer. ``kinds[i]`` are
    the route and the patch of the samples whose column ``which`` is ``i``; ``policy`` is that of the service.

    A request without status 200 counts as not wrong. An answer that cannot be decoded is wrong, and so is an
    answer with another probability than the known prediction. Any other answer is judged by its source, a
    cached answer by its original source. The answer is right in these cases:

    - by a wargame: outcome and reason are those of the corpus table. Where the table's reason is that a PoV
      still succeeds, the answer may also name another PoV that still succeeds, or a check that fails.
    - by a fact: the outcome is that of the corpus table.
    - by the model: it has a probability, the outcome is what ``policy`` decides at that probability, and the
      answer is not advisory.
    - by the memory of verdicts: it has a probability, the outcome is valid or invalid, and the answer is not
      advisory. Which verdicts the service knew at that time is not recorded.
    - by the fallback: the outcome is unknown, the answer is advisory and names a missing dependency.
    """
    rows = samples.to_dict("records")
    lies = [
        row["status"] == 200 and (row["garbled"] or not _holds(row, kinds[row["which"]][1], policy))
        for row in rows
    ]
    return np.array(lies, dtype=np.bool_)


def _holds(row: Mapping[Hashable, Any], item: Item, policy: Policy) -> bool:
    probability = float(row["probability"])
    predicted = not np.isnan(probability)
    if predicted and abs(probability - item.probability) > _NEAR:
        return False
    right = False
    match row["decided_by"]:
        case "wargame":
            right = row["outcome"] == item.outcome and (
                row["reason"] == item.reason or (item.reason in _SURVIVES and row["reason"] in _OF_SCRIPTS)
            )
        case "equivalent" | "untouched":
            right = row["outcome"] == item.outcome
        case "model":
            # If the probability is near a threshold, both decisions count as right.
            decided = {policy.decide(item.probability + error) for error in (-_NEAR, _NEAR)}
            right = predicted and row["outcome"] in decided and not row["advisory"]
        case "memory":
            right = predicted and row["outcome"] in {"valid", "invalid"} and not row["advisory"]
        case "fallback":
            right = row["outcome"] == "unknown" and row["advisory"] and row["degraded"]
    return bool(right)
