"""The variant of a comparison that is explained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from crisol.config import Settings
from crisol.lab.explanation import explained
from support.served import ROOT


@pytest.mark.parametrize(
    ("ranked", "variant"),
    [
        (["source_lightgbm", "text_linear", "classic_forest", "lightgbm"], "classic_forest"),
        (["source_lightgbm", "text_linear"], "text_linear"),
    ],
)
def test_the_best_served_variant_of_trees_is_explained(ranked: list[str], variant: str) -> None:
    """Trees alone have features to explain; without them it is the champion."""
    comparison: Any = SimpleNamespace(
        scores=dict.fromkeys(ranked),
        table=pd.DataFrame({"variant": [*ranked, "wargame alone"]}),
        served=frozenset(ranked) - {"source_lightgbm"},
        champion="text_linear",
    )
    assert explained(Settings(root=ROOT), comparison).name == variant
