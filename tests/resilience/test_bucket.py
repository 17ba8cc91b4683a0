"""The token bucket in process: exact in time, bounded in memory, against a model in fractions."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crisol.errors import InputError, SettingsError
from crisol.resilience.bucket import BucketDecision, Rate, TokenBucket
from crisol.resilience.clock import FakeClock


def drained(rate: Rate, clock: FakeClock, *, capacity: int = 1000) -> TokenBucket:
    bucket = TokenBucket(rate, capacity=capacity, clock=clock)
    bucket.take("a", rate.burst)
    return bucket


def test_full_bucket_gives_its_burst_and_not_one_more() -> None:
    bucket = TokenBucket(Rate(100, 60.0, burst=20), clock=FakeClock())
    assert [bucket.decide("a").allowed for _ in range(25)] == [True] * 20 + [False] * 5


@pytest.mark.parametrize("limit", [1, 7, 10, 60, 100, 333, 1000])
def test_refill_is_exact_to_a_millisecond(limit: int) -> None:
    """A bucket that refills in whole seconds gives nothing for 999 ms, then too much."""
    clock = FakeClock()
    bucket = drained(Rate(limit, 60.0), clock)
    for n in range(1, 20):
        clock.now = 1000.0 + n * 60.0 / limit - 0.001
        assert not bucket.decide("a").allowed
        clock.now += 0.001
        assert bucket.decide("a").allowed


@pytest.mark.parametrize("start", [0.0, 3.3, 1e6, 1e9])
def test_exactness_survives_a_long_uptime(start: float) -> None:
    clock = FakeClock(start)
    bucket = drained(Rate(7, 1.0), clock)
    grants = []
    for tick in range(1, 20_001):
        clock.now = start + tick / 1000.0
        if bucket.take("a") >= 0.0:
            grants.append(tick / 1000.0)
    assert [n / 7.0 for n in range(1, len(grants) + 1)] == pytest.approx(grants, abs=1.01e-3)
    assert len(grants) >= 139


def test_retry_after_is_the_moment_at_which_it_passes() -> None:
    clock = FakeClock()
    bucket = drained(Rate(30, 60.0), clock)
    refused = bucket.decide("a", 3.0)
    assert refused.retry_after == pytest.approx(6.0, abs=1e-5)
    clock.advance(refused.retry_after - 0.001)
    assert not bucket.decide("a", 3.0).allowed
    clock.advance(0.001)
    assert bucket.decide("a", 3.0).allowed


def test_refused_request_takes_nothing() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(10, 10.0), clock=clock)
    bucket.take("a", 8.0)
    for _ in range(100):
        assert not bucket.decide("a", 3.0).allowed
    assert bucket.decide("a", 2.0).allowed


def test_decision_tells_what_is_left_and_when_it_is_full() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(60, 60.0, burst=10), clock=clock)
    decision = bucket.decide("a", 4.0)
    assert (decision.allowed, decision.remaining, decision.retry_after) == (True, 6, 0.0)
    assert decision.reset_after == pytest.approx(4.0, abs=1e-5)
    refused = bucket.decide("a", 7.5)
    assert (refused.allowed, refused.remaining) == (False, 6)
    assert refused.retry_after == pytest.approx(1.5, abs=1e-5)
    assert refused.reset_after == pytest.approx(4.0, abs=1e-5)


def test_cost_zero_always_passes_while_anything_can_and_changes_nothing() -> None:
    clock = FakeClock()
    bucket = drained(Rate(5, 5.0), clock)
    for _ in range(10):
        assert bucket.decide("a", 0.0).allowed
    assert not bucket.decide("a").allowed
    assert bucket.decide("unseen", 0.0).remaining == 5
    assert len(bucket) == 1


def test_peek_takes_nothing() -> None:
    bucket = TokenBucket(Rate(5, 5.0), clock=FakeClock())
    for _ in range(10):
        assert bucket.peek("a").remaining == 5
    bucket.take("a", 2.0)
    assert bucket.peek("a").remaining == 3


def test_reset_fills_one_bucket_alone() -> None:
    bucket = TokenBucket(Rate(2, 60.0), clock=FakeClock())
    for key in ("a", "b"):
        bucket.take(key, 2.0)
    bucket.reset("a")
    bucket.reset("never seen")
    assert bucket.decide("a", 2.0).allowed
    assert not bucket.decide("b").allowed


def test_a_bucket_follows_another_store_downwards_alone() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(5, 5.0), clock=clock)
    bucket.follow("a", 2.0)
    assert bucket.peek("a").remaining == 2
    bucket.follow("a", 4.0)
    assert bucket.peek("a").remaining == 2
    bucket.take("a")
    clock.advance(1.0)
    bucket.follow("a", 0.0)
    assert not bucket.decide("a").allowed
    clock.advance(1.0)
    assert bucket.peek("a").remaining == 1


def test_following_takes_no_place_that_there_is_not() -> None:
    bucket = drained(Rate(5, 5.0), FakeClock(), capacity=1)
    bucket.follow("b", 1.0)
    bucket.follow("a", 1.0)
    assert len(bucket) == 1
    assert not bucket.decide("a").allowed


def test_unlimited_refuses_nothing_and_keeps_nothing() -> None:
    bucket = TokenBucket(Rate.unlimited())
    decisions = [bucket.decide("a", 1e12) for _ in range(5)]
    assert all(d.allowed and d.remaining == math.inf and d.reset_after == 0.0 for d in decisions)
    assert bucket.peek("a").allowed
    assert len(bucket) == 0


@pytest.mark.parametrize("cost", [-1.0, 10.5, math.nan, math.inf])
def test_cost_that_no_bucket_could_pay_is_refused_by_name(cost: float) -> None:
    """Asking it to wait would be a lie: no time is long enough."""
    bucket = TokenBucket(Rate(10), clock=FakeClock())
    for _ in range(2):
        with pytest.raises(InputError, match="cost"):
            bucket.take("a", cost)
        bucket.take("a")


@pytest.mark.parametrize(
    "values",
    [
        (0.0, 60.0, 0.0),
        (math.nan, 60.0, 0.0),
        (5.0, 0.0, 0.0),
        (5.0, math.inf, 0.0),
        (5.0, 60.0, 0.5),
        (5.0, 60.0, math.inf),
        (5.0, 60.0, math.nan),
        (0.5, 60.0, 0.0),
    ],
)
def test_rate_refuses_values_out_of_range(values: tuple[float, float, float]) -> None:
    with pytest.raises(SettingsError, match=r"rate|burst"):
        Rate(*values)


def test_capacity_must_hold_somebody() -> None:
    with pytest.raises(SettingsError, match="capacity"):
        TokenBucket(Rate(5), capacity=0)


def test_names_of_rates_differ_where_the_rates_do() -> None:
    rates = [Rate(1_000_000), Rate(1_000_001), Rate(100, 60, 20), Rate(100, 60.5, 20), Rate(100, 60, 21)]
    assert len({rate.name for rate in rates}) == len(rates)


def test_invented_names_buy_no_fresh_bucket_and_evict_nobody() -> None:
    """A table that evicts its oldest entry hands a flooding attacker a full bucket again."""
    clock = FakeClock()
    bucket = drained(Rate(10, 60.0), clock, capacity=100)
    granted = 0
    for n in range(10_000):
        granted += bucket.take(f"invented-{n}") >= 0.0
    assert granted == 99 + 10, "99 places were left; everybody else shares the overflow"
    assert bucket.overflowed == 10_000 - 99
    assert len(bucket) == 100
    assert not bucket.decide("a").allowed, "nor has the flood refilled the attacker's own bucket"


def test_who_was_known_before_the_flood_is_served_as_before() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(10, 60.0), capacity=50, clock=clock)
    bucket.take("known")
    for n in range(1000):
        bucket.take(f"invented-{n}")
    assert [bucket.decide("known").allowed for _ in range(10)] == [True] * 9 + [False]


def test_table_empties_itself_once_the_flood_is_over() -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(10, 60.0), capacity=50, clock=clock)
    for n in range(1000):
        bucket.take(f"invented-{n}")
    clock.advance(60.0)
    bucket.take("late")
    assert not bucket.peek("stranger").allowed or len(bucket) == 50
    clock.advance(60.0)
    bucket.take("late")
    assert len(bucket) == 1
    clock.advance(1e6)
    bucket.take("next")
    assert len(bucket) == 1


@pytest.mark.parametrize("jump", [0.001, 1.0, 59.0, 3600.0])
def test_clock_set_back_hands_out_no_tokens_and_takes_none(jump: float) -> None:
    clock = FakeClock()
    bucket = drained(Rate(60, 60.0), clock)
    clock.advance(-jump)
    assert not bucket.decide("a").allowed
    assert bucket.decide("a").retry_after == pytest.approx(1.0, abs=1e-5)
    clock.advance(jump + 1.0)
    assert bucket.decide("a").allowed
    assert not bucket.decide("a").allowed


def test_nothing_reads_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "time")
    assert TokenBucket(Rate(5)).decide("a").allowed


def test_a_bucket_is_small_and_a_flood_bounded() -> None:
    """At most 200 bytes a bucket beside its key, and no more for the names that found no place."""
    keys = [f"198.51.100.7|/v1/{n}" for n in range(30_000)]
    rate = Rate(100)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    bucket = TokenBucket(rate, capacity=10_000)
    for key in keys:
        bucket.take(key)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(bucket) == 10_000
    assert (after - before) / 10_000 <= 200


@given(
    limit=st.integers(1, 50),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 5)), max_size=80),
)
def test_no_interval_ever_grants_more_than_burst_and_rate_allow(
    limit: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    clock = FakeClock()
    bucket = TokenBucket(Rate(limit, 10.0, burst), clock=clock)
    grants: list[tuple[float, int]] = []
    for wait, cost in steps:
        clock.advance(wait / 1000.0)
        if cost <= burst and bucket.take("a", cost) >= 0.0:
            grants.append((clock(), cost))
    for i, (start, _) in enumerate(grants):
        total = 0
        for moment, cost in grants[i:]:
            total += cost
            assert total <= burst + limit * (moment - start) / 10.0 + 1e-3


class _BucketMachine(RuleBasedStateMachine):
    """Any order of requests, resets and clock jumps agrees with tokens counted in fractions."""

    rate = Rate(40, 10.0, burst=8)

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(0.0)
        self.bucket = TokenBucket(self.rate, capacity=100, clock=self.clock)
        self.tokens: dict[str, Fraction] = {}
        self.now = Fraction(0)

    def refill(self) -> None:
        now = max(self.now, Fraction(self.clock()))
        for key, tokens in self.tokens.items():
            self.tokens[key] = min(tokens + 4 * (now - self.now), Fraction(8))
        self.now = now

    def agree(self, decision: BucketDecision, key: str) -> None:
        assert decision.left == pytest.approx(float(self.tokens.get(key, 8)) / 4.0, abs=1e-5)

    @rule(key=st.sampled_from("abc"), cost=st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 3.0, 8.0]))
    def take(self, key: str, cost: float) -> None:
        self.refill()
        have = self.tokens.setdefault(key, Fraction(8))
        decision = self.bucket.decide(key, cost)
        assert decision.allowed == (have >= Fraction(cost))
        if decision.allowed:
            self.tokens[key] = have - Fraction(cost)
        else:
            assert decision.retry_after == pytest.approx(float(Fraction(cost) - have) / 4.0, abs=1e-5)
        self.agree(decision, key)

    @rule(key=st.sampled_from("abcd"))
    def peek(self, key: str) -> None:
        self.refill()
        self.agree(self.bucket.peek(key), key)

    @rule(key=st.sampled_from("abcd"))
    def reset(self, key: str) -> None:
        self.bucket.reset(key)
        self.tokens.pop(key, None)

    @rule(seconds=st.sampled_from([-5.0, -0.25, 0.0625, 0.25, 0.5, 1.0, 1.75, 2.0, 2.25, 5.0]))
    def jump(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def bounded(self) -> None:
        assert len(self.bucket) <= 3


TestBucketMachine = _BucketMachine.TestCase
TestBucketMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
