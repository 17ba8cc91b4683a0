"""Sampling is fixed by patch and salt, and a trial that contradicts itself is never made."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisol.abtest.sampler import HashSampler, RandomSampler
from crisol.abtest.trial import check, disagreement, from_row, observe, to_row
from crisol.errors import InputError, IntegrityError, SettingsError
from crisol.records import Outcome, Prediction, Reason, Trial

NOW = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)


def trial(
    probability: float = 0.9, reason: Reason | None = Reason.EXPLOIT_SURVIVES, at: dt.datetime = NOW
) -> Trial:
    return observe(
        Prediction(probability, "m1", "1", 0.001),
        patch="ab12",
        vulnerability="CVE-2020-1747",
        outcome=Outcome.VALID if reason is None else reason.outcome,
        reason=reason,
        sampling_probability=0.1,
        created_at=at,
        experiment="e",
        arm="champion",
        cwe="CWE-20",
    )


@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_rate_only_adds_patches(patch: str, one: float, two: float) -> None:
    """The hash sampler is monotone in the rate and repeats itself."""
    low, high = (HashSampler(rate, "salt").draw(patch) for rate in sorted((one, two)))
    assert high.sampled or not low.sampled
    assert HashSampler(one, "salt").draw(patch, unsure=True).probability == 1.0


def test_the_rate_is_kept() -> None:
    """Of many patches the share of the rate is sampled, by hash and at random."""
    for sampler in (HashSampler(0.1, "s"), RandomSampler(0.1, 7)):
        drawn = sum(sampler.draw(str(n)).sampled for n in range(20_000))
        assert abs(drawn / 20_000 - 0.1) < 0.01


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_wrong_rate_is_refused(rate: float) -> None:
    """A rate is a share."""
    with pytest.raises(SettingsError, match="within 0"):
        HashSampler(rate, "s")


def test_a_trial_survives_its_row() -> None:
    """What is written is what is read."""
    assert from_row(to_row(trial()), "here") == trial()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("probability", float("nan")),
        ("outcome", "maybe"),
        ("created_at", "yesterday"),
        ("patch", ""),
        ("id", "x"),
    ],
)
def test_a_corrupt_row_is_named(column: str, value: object) -> None:
    """The error says where the row stands."""
    with pytest.raises(IntegrityError, match="here"):
        from_row(to_row(trial()) | {column: value}, "here")


@pytest.mark.parametrize(
    "changes",
    [
        {"sampling_probability": 0.0},
        {"probability": 2.0},
        {"outcome": Outcome.VALID},
        {"wargame_seconds": -1.0},
        {"created_at": NOW.replace(tzinfo=None)},
        {"model_version": "m2"},
    ],
)
def test_a_contradiction_is_refused(changes: dict[str, object]) -> None:
    """Another model version, a naive time, an impossible number: nothing half-right is kept."""
    with pytest.raises(InputError):
        check(replace(trial(), **changes))  # type: ignore[arg-type]  # the point is that these are wrong


def test_a_clock_that_was_never_set_loses_no_trial() -> None:
    """A machine without a battery starts in 1970: what it observes is dated as nothing else is, and kept."""
    found = trial(at=dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))
    assert found == replace(trial(), created_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    check(found, NOW)
    check(found, dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))
    with pytest.raises(InputError, match="ahead"):
        check(trial(), dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))


def test_disagreement_is_told() -> None:
    """Only a wrong guess has something to tell."""
    assert disagreement(trial()) == "model 0.90 valid, wargame: exploit_survives"
    assert not disagreement(trial(0.9, None))
    assert not disagreement(trial(0.9, Reason.SANDBOX_FAILED))
