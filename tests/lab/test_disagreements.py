from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisol.errors import DatasetError, ExperimentError
from crisol.lab import ground_truth
from crisol.lab.decisions import act
from crisol.lab.disagreements import disagreements, split
from crisol.model.policy import Policy
from crisol.records import Outcome, Reason, Trial


def _frame(groups: int = 4, per_group: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "id": f"p{g}-{i}",
                "vulnerability": f"v{g}",
                "cwe": "CWE-79",
                "project": f"v{g}",
                "name": f"n{i}",
                "origin": "hand",
                "diff": f"+{g}{i}\n",
                "outcome": ["valid", "invalid", "invalid", "inconclusive"][i % 4],
                "reason": ["", "exploit_survives", "timeout", "sandbox_failed"][i % 4],
                "basic_outcome": ["valid", "invalid", "valid", "inconclusive"][i % 4],
                "basic_reason": ["", "exploit_survives", "", "sandbox_failed"][i % 4],
                "seconds": 0.25,
            }
            for g in range(groups)
            for i in range(per_group)
        ]
    )


def _trial(patch: str, probability: float, outcome: Outcome, reason: Reason | None = None) -> Trial:
    return Trial(
        id=patch,
        patch=patch,
        vulnerability=patch[:2].replace("p", "v"),
        cwe="CWE-79",
        experiment="e",
        arm="m",
        model_version="1",
        feature_version="1",
        probability=probability,
        outcome=outcome,
        reason=reason,
        sampling_probability=1.0,
        predict_seconds=0.0,
        wargame_seconds=0.0,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


@given(seed=st.integers(0, 2**32 - 1), held_out=st.floats(0.01, 0.99), groups=st.integers(3, 9))
def test_no_vulnerability_stands_on_both_sides_and_none_is_lost(
    seed: int, held_out: float, groups: int
) -> None:
    frame = _frame(groups)
    learn, meet = split(frame, seed, held_out)
    left, right = set(learn["vulnerability"]), set(meet["vulnerability"])
    assert len(left) >= 2
    assert right
    assert left.isdisjoint(right)
    assert left | right == set(frame["vulnerability"])
    assert "inconclusive" not in set(learn["outcome"]) | set(meet["outcome"])


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    frame = _frame(9)
    chosen = set(split(frame, 1, 0.5)[1]["vulnerability"])
    assert set(split(frame.iloc[::-1], 1, 0.5)[1]["vulnerability"]) == chosen
    assert any(set(split(frame, seed, 0.5)[1]["vulnerability"]) != chosen for seed in range(2, 9))


def test_a_split_that_would_teach_nothing_is_refused() -> None:
    with pytest.raises(DatasetError, match="from two at least"):
        split(_frame(2), 0, 0.5)
    with pytest.raises(DatasetError, match="same verdict"):
        split(_frame(3, per_group=1), 0, 0.5)
    with pytest.raises(ExperimentError, match="held_out"):
        split(_frame(), 0, 1.0)


def test_disagreements_put_false_accepts_first_and_leave_out_what_has_no_verdict() -> None:
    trials = [
        _trial("p0-0", 0.2, Outcome.VALID),
        _trial("p0-1", 0.6, Outcome.INVALID, Reason.EXPLOIT_SURVIVES),
        _trial("p1-2", 0.9, Outcome.INVALID, Reason.BREAKS_FUNCTION),
        _trial("p1-1", 0.1, Outcome.INVALID, Reason.EXPLOIT_SURVIVES),
        _trial("p1-3", 0.9, Outcome.INCONCLUSIVE, Reason.SANDBOX_FAILED),
    ]
    table = disagreements(trials, _frame())
    assert list(table["kind"]) == ["false accept", "false accept", "false reject"]
    assert list(table["probability"]) == [0.9, 0.6, 0.2]
    assert list(table["diff"]) == ["+12\n", "+01\n", "+00\n"]
    assert list(table["reason"]) == ["breaks_function", "exploit_survives", ""]
    assert disagreements([], _frame()).empty


def test_a_patch_has_no_say_in_its_own_threshold() -> None:
    """Each group is judged by the largest wrong probability of the others."""
    truth = np.array([1, 0, 1, 0])
    probability = np.array([0.95, 0.9, 0.7, 0.3])
    groups = np.array(["a", "a", "b", "b"])

    def above_every_wrong_one(truth: np.ndarray, probability: np.ndarray) -> Policy:
        return Policy(accept=float(np.nextafter(probability[truth == 0].max(), 1)))

    accepted, decided = act(truth, probability, groups, above_every_wrong_one)
    assert accepted.tolist() == decided.tolist() == [True, True, False, False]


def test_composition_and_facts_count_what_the_table_says() -> None:
    frame = _frame(2)
    table = ground_truth.composition(frame)
    assert list(table["candidates"]) == [4, 4]
    assert list(table["inconclusive"]) == [1, 1]
    facts = ground_truth.facts(frame)
    assert facts["share_valid"] == pytest.approx(1 / 3)
    assert facts["share_valid_basic"] == pytest.approx(2 / 3)
    assert facts["wargames_per_second"] == pytest.approx(4.0)
    both = ground_truth.by_reason(frame).set_index("reason")
    assert both.loc["timeout", ["basic", "strict"]].tolist() == [0, 2]
    assert both["strict"].sum() == both["basic"].sum() == len(frame)


def test_what_an_origin_gives_away_is_told() -> None:
    """Right upstream patches and wrong mutants are told apart by origin alone.

    Two vulnerabilities tell nothing.
    """
    rows = [
        {
            "id": f"{number}-{at}", "vulnerability": f"v{number:02}", "project": f"p{number}",
            "cwe": "CWE-22", "language": "python", "origin": ("mutant", "upstream")[at % 2],
            "diff": f"--- a/f.py\n+++ b/f.py\n@@ -1 +1,2 @@\n x\n+value = {number}{at}\n",
            "outcome": ("invalid", "valid")[at % 2], "basic_outcome": ("invalid", "valid")[at % 2],
            "reason": "",
        }
        for number in range(12)
        for at in range(4)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    told = ground_truth.leaks(frame).set_index("seen")
    assert told.loc["origin", "auc"] == 1.0
    assert 0.3 < told.loc["style", "auc"] < 0.7
    assert (told["low"] <= told["auc"]).all()
    assert ground_truth.leaks(frame[frame["vulnerability"] < "v02"]).empty
