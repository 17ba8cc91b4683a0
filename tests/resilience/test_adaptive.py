from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisol.errors import SettingsError
from crisol.resilience.adaptive import AdaptivePolicy, AdaptiveShare
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.clock import FakeClock

POLICY = AdaptivePolicy(target_seconds=0.1)


def bad_second(share: AdaptiveShare, clock: FakeClock) -> None:
    share.observe(0.5)
    clock.advance(1.0)


def test_a_bad_interval_halves_the_share_and_good_ones_add_to_it() -> None:
    clock = FakeClock()
    share = AdaptiveShare(POLICY, clock=clock)
    bad_second(share, clock)
    assert share.cost(Rate(100)) == 2.0
    share.observe(0.01)
    clock.advance(1.0)
    assert share.cost(Rate(100)) == pytest.approx(1.0 / 0.55)


def test_few_slow_calls_among_many_are_tolerated() -> None:
    """One in twenty is not more than the five per cent that are."""
    clock = FakeClock()
    share = AdaptiveShare(POLICY, clock=clock)
    for n in range(20):
        share.observe(0.5 if n == 0 else 0.01)
    clock.advance(1.0)
    assert share.cost(Rate(100)) == 1.0


def test_failures_shrink_the_share_however_fast_they_come() -> None:
    clock = FakeClock()
    share = AdaptiveShare(POLICY, clock=clock)
    share.observe(0.001, failed=True)
    clock.advance(1.0)
    assert share.cost(Rate(100)) == 2.0


def test_an_open_breaker_shrinks_the_share_although_nothing_is_slow() -> None:
    """And silence is no recovery while it is open."""
    clock, state = FakeClock(), [True]
    share = AdaptiveShare(POLICY, strained=lambda: state[0], clock=clock)
    clock.advance(30.0)
    assert share.cost(Rate(100)) == 2.0
    state[0] = False
    clock.advance(30.0)
    assert share.cost(Rate(100)) == 1.0


def test_the_share_never_leaves_its_bounds() -> None:
    clock = FakeClock()
    share = AdaptiveShare(POLICY, clock=clock)
    for _ in range(50):
        bad_second(share, clock)
    assert share.cost(Rate(100)) == pytest.approx(10.0)
    clock.advance(3600.0)
    assert share.cost(Rate(100)) == 1.0


def test_a_request_never_costs_more_than_a_full_bucket_has() -> None:
    """Otherwise a small bucket would refuse for ever."""
    clock = FakeClock()
    share = AdaptiveShare(POLICY, clock=clock)
    for _ in range(50):
        bad_second(share, clock)
    rate = Rate(100, 60, burst=3)
    bucket = TokenBucket(rate, clock=clock)
    assert bucket.decide("client", share.cost(rate)).allowed


def test_half_the_share_is_half_the_requests() -> None:
    clock = FakeClock()
    share = AdaptiveShare(AdaptivePolicy(target_seconds=0.1, low=0.5, increase=1e-9), clock=clock)
    bad_second(share, clock)
    bucket = TokenBucket(Rate(100, 60), clock=clock)
    assert sum(bucket.decide("client", share.cost(bucket.rate)).allowed for _ in range(200)) == 50


@given(
    st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 1.0), st.booleans(), st.booleans()), max_size=60)
)
def test_any_history_keeps_the_share_between_its_bounds(
    history: list[tuple[float, float, bool, bool]],
) -> None:
    """With a clock that is set back now and then."""
    clock, state = FakeClock(), [False]
    share = AdaptiveShare(POLICY, strained=lambda: state[0], clock=clock)
    for seconds, took, failed, strained in history:
        clock.advance(-seconds if failed and strained else seconds)
        state[0] = strained
        share.observe(took, failed=failed)
        assert POLICY.low <= share.share <= POLICY.high


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"target_seconds": 0.0}, "target_seconds"),
        ({"target_seconds": float("nan")}, "target_seconds"),
        ({"target_seconds": 1.0, "decrease": 1.0}, "decrease"),
        ({"target_seconds": 1.0, "decrease": 0.0}, "decrease"),
        ({"target_seconds": 1.0, "tolerated": -0.1}, "tolerated"),
        ({"target_seconds": 1.0, "low": 0.0}, "low"),
        ({"target_seconds": 1.0, "low": 2.0}, "out of order"),
        ({"target_seconds": 1.0, "interval": float("inf")}, "interval"),
    ],
)
def test_a_policy_out_of_range_is_refused_by_name(options: dict[str, float], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        AdaptivePolicy(**options)
