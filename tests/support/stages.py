"""A second stage for tests of the rungs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crisol.evidence.memory import COLUMNS
from crisol.evidence.second_stage import SecondStage, train
from crisol.model.policy import Policy

EVERYTHING = Policy(reject=0.9999, reason="a test")


def second_stage() -> SecondStage:
    """Return a second stage that was learnt from noise, and refuses whatever it is asked about."""
    rng = np.random.default_rng(0)
    rows, label = rng.random((120, len(COLUMNS))), np.arange(120) % 2
    group = np.array([f"g{number // 6}" for number in range(120)])
    return replace(train(rows, label, group, seed=0), policy=EVERYTHING)
