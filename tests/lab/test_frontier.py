from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crisol.lab.attribution import attribution
from crisol.lab.frontier import frontier, mistakes, risk_coverage
from crisol.model.ablation import ablate
from crisol.model.evaluation import evaluate
from crisol.model.variants import load_variants
from support.model_data import patches, small

VARIANTS = load_variants(Path(__file__).parents[2] / "experiments" / "variants.yaml")
TRUTH = np.array([1, 1, 0, 0])
SAID = np.array([0.9, 0.6, 0.8, 0.1])


def test_the_frontier_counts_what_would_have_happened() -> None:
    table = frontier(TRUTH, SAID, wargame_seconds=2.0, accept_seconds=100.0).set_index("threshold")
    loose, strict = table.loc[0.5], table.loc[0.85]
    assert (loose["skipped"], loose["wrong_among_accepted"], loose["seconds"]) == (
        1.0,
        pytest.approx(1 / 3),
        25.0,
    )
    assert (strict["skipped"], strict["wrong_among_accepted"], strict["seconds"]) == (0.5, 0.0, 1.0)
    assert table.loc[1.0, "skipped"] == 0.0
    assert np.isnan(table.loc[1.0, "wrong_among_accepted"])


def test_coverage_lets_the_surest_through_first() -> None:
    coverage, risk = risk_coverage(TRUTH, SAID)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == [0.0, 0.0, pytest.approx(1 / 3), 0.25]


def test_the_surest_mistake_stands_first() -> None:
    made = tuple(patches(1, 4))
    said = np.array([0.9 - 0.2 * number if not patch.label else 0.4 for number, patch in enumerate(made)])
    table = mistakes(made, said, most=2)
    assert len(table) <= 2
    distance = (table["probability"] - 0.5).abs()
    assert distance.is_monotonic_decreasing
    assert set(table["kind"]) <= {"false accept", "false reject"}
    group = {patch.id: patch.group for patch in made}
    assert [group[name] for name in table["patch"]] == list(table["group"]), "by vulnerability or by project"


def test_the_group_that_carries_the_signal_is_missed_when_it_is_gone() -> None:
    """Right patches of these add a guard, so the shape of the line and its words tell, the CWE does not."""
    variant, some = small(VARIANTS["lightgbm"]), patches(20, 6)
    rows = {row.without: row for row in ablate(variant, some, seed=0, folds=3)}
    whole = evaluate(variant, some, seed=0, folds=3, bootstrap=2, search=False)
    assert rows["none"].auc == pytest.approx(whole.auc), "on the folds of the main table"
    assert set(rows) == {"none", "classic", "shape", "flow", "names", "security", "weakness", "edit"}
    assert rows["weakness"].auc_alone < 0.55
    assert rows["none"].auc > 0.7


@pytest.mark.parametrize("name", ["rich_forest", "boosting", "lightgbm"])
def test_attribution_finds_the_guard(name: str) -> None:
    table = attribution(small(VARIANTS[name]), patches(20, 6), seed=0)
    assert table["attribution"].is_monotonic_decreasing
    assert set(table["group"].head(5)) & {"flow", "security", "names", "classic"}
    assert table["attribution"].iloc[0] > 0


def test_a_model_without_trees_has_no_tree_attribution() -> None:
    assert attribution(VARIANTS["text_linear"], patches(6, 4), seed=0).empty
