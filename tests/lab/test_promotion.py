from __future__ import annotations

import numpy as np
import pytest

from crisol.errors import DatasetError
from crisol.lab.promotion import _gate, costs, not_worse
from crisol.lab.second_stage import second_stage
from crisol.model.policy import NEVER
from crisol.records import LabelledPatch

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(60), 10).astype(str)
TRUTH = RNG.integers(2, size=600)


def _sides(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (probability - TRUTH) ** 2, costs(TRUTH, probability, GROUPS)


GOOD = _sides(np.clip(0.5 + 0.3 * (2 * TRUTH - 1) + RNG.normal(0, 0.15, 600), 0.01, 0.99))
POOR = _sides(np.clip(0.5 + 0.05 * (2 * TRUTH - 1) + RNG.normal(0, 0.2, 600), 0.01, 0.99))


def test_the_better_replaces_the_worse_and_not_the_other_way_round() -> None:
    assert not_worse(GOOD, POOR, GROUPS, seed=0)[0]
    promoted, reason = not_worse(POOR, GOOD, GROUPS, seed=0)
    assert not promoted
    assert "60 vulnerabilities" in reason


def test_an_equal_challenger_is_not_worse() -> None:
    assert not_worse(GOOD, GOOD, GROUPS, seed=0)[0]


def test_a_challenger_that_accepts_wrong_patches_is_refused_although_its_brier_score_is_better() -> None:
    dear = (GOOD[0] - 0.01, GOOD[1] + (np.arange(600) % 10 == 0) * 20.0)
    assert not not_worse(dear, GOOD, GROUPS, seed=0)[0]


def test_few_vulnerabilities_prove_nothing() -> None:
    """Noise around equal quality on three vulnerabilities does not show that the challenger is no worse."""
    some = np.repeat(["a", "b", "c"], 4)
    noise = np.repeat([0.3, -0.3, 0.02], 4)
    assert not not_worse((noise, np.zeros(12)), (np.zeros(12), np.zeros(12)), some, seed=0)[0]


def test_a_cost_is_a_wargame_or_a_wrong_accept() -> None:
    probability = np.where(TRUTH == 1, 0.95, 0.05)
    assert costs(TRUTH, probability, GROUPS).max() == 0.0
    assert set(np.unique(costs(TRUTH, RNG.random(600), GROUPS))) <= {0.0, 1.0, 20.0}


class Compared:
    """What the gate reads of a comparison on 60 vulnerabilities."""

    truth = TRUTH
    groups = GROUPS
    scores = {"good": np.clip(0.5 + 0.3 * (2 * TRUTH - 1), 0, 1), "poor": np.full(600, 0.5)}  # noqa: RUF012 - never changed


@pytest.mark.parametrize(
    ("held", "vulnerabilities", "name", "force", "promoted", "why"),
    [
        (None, 0, "poor", False, True, "there was none"),
        ("good", 60, "good", False, True, "stays champion, trained on these"),
        ("good", 61, "good", False, False, "stands on 61 vulnerabilities and good on 60"),
        ("poor", 61, "good", False, False, "stands on 61 vulnerabilities"),
        ("poor", 60, "good", False, True, "good replaces poor"),
        ("good", 60, "poor", False, False, "good stays champion"),
        ("other", 60, "good", False, False, "which was not compared"),
        ("good", 99, "poor", True, True, "because it was forced"),
    ],
)
def test_the_title_goes_to_the_better_on_at_least_as_many_vulnerabilities(
    held: str | None, vulnerabilities: int, name: str, *, force: bool, promoted: bool, why: str
) -> None:
    """The same variant trained on fewer does not replace itself either, unless somebody says so."""
    tags = None if held is None else {"variant": held, "vulnerabilities": str(vulnerabilities)}
    result, reason = _gate(tags, Compared(), name, 0, force=force)  # type: ignore[arg-type]  # all that it reads
    assert result is promoted, reason
    assert why in reason


def _streams(groups: int) -> list[LabelledPatch]:
    """Eight patches a vulnerability, of which those that call ``safe`` are valid."""
    return [
        LabelledPatch(
            f"{group}-{number}",
            f"g{group}",
            "p",
            1 - number % 2,
            "--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n read(name)\n"
            f"+{('safe', 'risky')[number % 2]}_{group}({number})\n",
        )
        for group in range(groups)
        for number in range(8)
    ]


def test_a_memory_without_enough_vulnerabilities_abstains_and_says_what_is_missing() -> None:
    patches = _streams(12)
    stage = second_stage(patches, np.full(len(patches), 0.5), NEVER, seed=0)
    assert (stage.policy.accept, stage.policy.reject) == (None, None)
    assert "refuse: fewer than 23 vulnerabilities" in stage.policy.reason
    with pytest.raises(DatasetError, match="two vulnerabilities"):
        second_stage(patches[:8], np.full(8, 0.5), NEVER, seed=0)


def test_a_memory_refuses_where_the_streams_show_that_it_may() -> None:
    patches = _streams(60)
    policy = second_stage(patches, np.full(len(patches), 0.5), NEVER, seed=0).policy
    assert policy.reject is not None
    assert policy.accept is None
    assert "accept: fewer than 118 vulnerabilities" in policy.reason
