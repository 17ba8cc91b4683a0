"""The circuit breaker, its state machine against a reference model and its edges against asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import itertools
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crisol.errors import CircuitOpenError, SettingsError
from crisol.resilience.breaker import BreakerCore, State
from crisol.resilience.clock import FakeClock
from crisol.resilience.guard import BreakerRegistry, CircuitBreaker
from crisol.resilience.policy import CACHE, DATABASE, ML_MODEL, BreakerPolicy
from crisol.resilience.window import TimeWindow


class BoomError(Exception):
    """What the dependency raises."""


async def succeed(value: object = 1) -> object:
    return value


async def fail() -> None:
    raise BoomError


def opened(policy: BreakerPolicy | None = None) -> tuple[CircuitBreaker, FakeClock]:
    clock = FakeClock()
    breaker = CircuitBreaker("b", policy or BreakerPolicy(consecutive_failures=1), clock=clock)
    while breaker.state is State.CLOSED:
        breaker.failure(breaker.try_acquire())
    return breaker, clock


def half_opened(**options: Any) -> tuple[CircuitBreaker, FakeClock]:
    breaker, clock = opened(BreakerPolicy(consecutive_failures=1, **options))
    clock.advance(breaker.policy.recovery_seconds)
    return breaker, clock


@pytest.mark.parametrize(
    ("policy", "timeout", "failures", "recovery"),
    [(ML_MODEL, 10, 5, 30), (DATABASE, 5, 3, 15), (CACHE, 3, 5, 10)],
)
def test_design_breakers(policy: BreakerPolicy, timeout: float, failures: int, recovery: float) -> None:
    """The three breakers open at exactly their number of failures and recover after exactly their time."""
    assert policy.timeout == timeout
    clock = FakeClock()
    breaker = CircuitBreaker("b", policy, clock=clock)
    for _ in range(failures - 1):
        breaker.failure(breaker.try_acquire())
    assert breaker.state is State.CLOSED
    breaker.failure(breaker.try_acquire())
    assert breaker.state is State.OPEN
    clock.advance(recovery - 0.001)
    assert breaker.try_acquire() == 0
    assert breaker.retry_after() == pytest.approx(0.001)
    clock.advance(0.001)
    breaker.success(breaker.try_acquire())
    assert breaker.state is State.CLOSED


def test_failures_must_be_consecutive() -> None:
    breaker = BreakerCore("b", BreakerPolicy(consecutive_failures=3), clock=FakeClock())
    for _ in range(10):
        breaker.failure(breaker.try_acquire())
        breaker.failure(breaker.try_acquire())
        breaker.success(breaker.try_acquire())
    assert breaker.state is State.CLOSED


def test_opens_by_failure_rate_only_after_the_minimum_of_calls() -> None:
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5, minimum_calls=10, window_calls=20)
    breaker = BreakerCore("b", policy, clock=FakeClock())
    for _ in range(9):
        breaker.failure(breaker.try_acquire())
    assert breaker.state is State.CLOSED
    breaker.success(breaker.try_acquire())
    assert breaker.state is State.OPEN, "9 of 10 failed, and the tenth call completed the minimum"


def test_old_failures_leave_the_call_window() -> None:
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5, minimum_calls=4, window_calls=4)
    breaker = BreakerCore("b", policy, clock=FakeClock())
    breaker.success(breaker.try_acquire())
    breaker.success(breaker.try_acquire())
    breaker.success(breaker.try_acquire())
    breaker.failure(breaker.try_acquire())
    for _ in range(4):
        breaker.success(breaker.try_acquire())
    assert breaker.snapshot().failure_rate == 0.0
    breaker.failure(breaker.try_acquire())
    assert breaker.state is State.CLOSED
    breaker.failure(breaker.try_acquire())
    assert breaker.state is State.OPEN


def test_opens_by_slow_calls_although_all_succeed() -> None:
    policy = BreakerPolicy(slow_seconds=0.2, slow_rate=0.5, minimum_calls=4)
    clock = FakeClock()
    breaker = CircuitBreaker("b", policy, clock=clock)

    @breaker
    async def work(seconds: float) -> None:
        clock.advance(seconds)

    async def main() -> None:
        for seconds in (0.1, 0.2, 0.3, 0.3):
            await work(seconds)

    asyncio.run(main())
    assert breaker.state is State.OPEN
    assert breaker.snapshot().successes == 4


def test_time_window_forgets_by_the_clock() -> None:
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5, minimum_calls=4, window_seconds=10.0)
    clock = FakeClock()
    breaker = BreakerCore("b", policy, clock=clock)
    for _ in range(3):
        breaker.failure(breaker.try_acquire())
    clock.advance(10.0)
    breaker.failure(breaker.try_acquire())
    assert breaker.snapshot().calls == 1
    for _ in range(3):
        breaker.failure(breaker.try_acquire())
    assert breaker.state is State.OPEN


def test_time_window_treats_a_clock_set_back_as_standing_still() -> None:
    window = TimeWindow(10.0)
    window.add(100.0, bad=True, slow=False)
    window.add(50.0, bad=True, slow=True)
    assert window.sums(0.0) == (2, 2, 1)
    assert window.sums(109.0) == (2, 2, 1)
    assert window.sums(110.0) == (0, 0, 0)
    assert window.sums(100.0) == (0, 0, 0)


def test_backoff_grows_to_its_cap_and_starts_over_after_a_recovery() -> None:
    policy = BreakerPolicy(
        consecutive_failures=1, recovery_seconds=1.0, backoff=2.0, max_recovery_seconds=5.0
    )
    breaker, clock = opened(policy)
    waits = []
    for _ in range(5):
        waits.append(breaker.retry_after())
        clock.advance(breaker.retry_after())
        breaker.failure(breaker.try_acquire())
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    clock.advance(5.0)
    breaker.success(breaker.try_acquire())
    breaker.failure(breaker.try_acquire())
    assert breaker.retry_after() == 1.0


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 7.5), (0.5, 10.0), (1.0, 12.5)])
def test_jitter_spreads_the_wait_around_its_value(draw: float, wait: float) -> None:
    breaker, _ = opened(
        BreakerPolicy(consecutive_failures=1, recovery_seconds=10.0, jitter=0.25, rng=lambda: draw)
    )
    assert breaker.retry_after() == wait


def test_backoff_never_overflows() -> None:
    assert BreakerPolicy(backoff=1e6, max_recovery_seconds=60.0).wait(10**9) == 60.0


@pytest.mark.parametrize("probes", [1, 3, 10])
def test_half_open_admits_exactly_n_of_a_thousand_concurrent_probes(probes: int) -> None:
    """circuitbreaker, aiobreaker and purgatory let all of them through."""
    breaker, _ = half_opened(probes=probes, probe_successes=probes)
    entered = 0

    @breaker
    async def probe() -> None:
        nonlocal entered
        entered += 1
        await asyncio.sleep(0)

    async def main() -> list[object]:
        return await asyncio.gather(*(probe() for _ in range(1000)), return_exceptions=True)

    results = asyncio.run(main())
    assert entered == probes
    assert sum(isinstance(r, CircuitOpenError) for r in results) == 1000 - probes
    assert breaker.state is State.CLOSED


def test_half_open_admits_exactly_n_probes_across_threads() -> None:
    breaker, _ = half_opened(probes=5, probe_successes=5)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        permits = list(pool.map(lambda _: breaker.try_acquire(), range(500)))
    assert sum(map(bool, permits)) == 5


def test_half_open_opens_as_soon_as_the_successes_are_out_of_reach() -> None:
    breaker, _ = half_opened(probes=5, probe_successes=3)
    permits = [breaker.try_acquire() for _ in range(5)]
    breaker.failure(permits[0])
    breaker.failure(permits[1])
    assert breaker.state is State.HALF_OPEN
    breaker.failure(permits[2])
    assert breaker.state is State.OPEN
    assert breaker.snapshot().relapsed == 1


def test_half_open_closes_at_m_successes_despite_a_failure() -> None:
    breaker, _ = half_opened(probes=4, probe_successes=3)
    permits = [breaker.try_acquire() for _ in range(4)]
    breaker.failure(permits[0])
    for permit in permits[1:]:
        assert breaker.state is State.HALF_OPEN
        breaker.success(permit)
    assert breaker.state is State.CLOSED
    assert breaker.snapshot().recovered == 1


def test_half_open_has_a_longest_stay_when_probes_hang() -> None:
    breaker, clock = half_opened(half_open_seconds=20.0)
    hanging = breaker.try_acquire()
    clock.advance(19.9)
    assert breaker.try_acquire() == 0
    assert breaker.state is State.HALF_OPEN
    clock.advance(0.1)
    assert breaker.try_acquire() == 0
    assert breaker.state is State.OPEN
    breaker.success(hanging)
    assert breaker.state is State.OPEN, "the probe came back too late"


def test_half_open_without_pending_probes_starts_a_fresh_round() -> None:
    """A quiet night between two probes is no evidence against the dependency."""
    breaker, clock = half_opened(probes=2, probe_successes=2, half_open_seconds=20.0)
    breaker.success(breaker.try_acquire())
    clock.advance(1000.0)
    assert breaker.try_acquire()
    assert breaker.state is State.HALF_OPEN


def test_slow_probe_counts_as_failed() -> None:
    breaker, _ = half_opened(slow_seconds=1.0, slow_rate=0.5)
    breaker.success(breaker.try_acquire(), seconds=1.5)
    assert breaker.state is State.OPEN


@pytest.mark.parametrize("late", ["success", "failure", "release"])
def test_results_of_an_earlier_generation_change_nothing(late: str) -> None:
    """Both aiobreaker and purgatory close an open circuit on a stale success."""
    clock = FakeClock()
    breaker = BreakerCore("b", BreakerPolicy(consecutive_failures=1), clock=clock)
    stale = breaker.try_acquire()
    breaker.failure(breaker.try_acquire())
    for _ in range(2):
        before = breaker.snapshot()
        getattr(breaker, late)(stale)
        assert breaker.snapshot() == before
        clock.advance(30.0)
        breaker.try_acquire()


def test_stale_release_frees_no_probe_of_a_later_round() -> None:
    breaker, clock = half_opened(half_open_seconds=5.0)
    stale = breaker.try_acquire()
    clock.advance(5.0)
    breaker.try_acquire()
    clock.advance(30.0)
    assert breaker.try_acquire()
    breaker.release(stale)
    assert breaker.try_acquire() == 0


@pytest.mark.parametrize("how", ["decorator", "call", "guard"])
@pytest.mark.parametrize("timeout", [None, 60.0])
def test_cancellation_is_neutral_at_every_await_point(how: str, timeout: float | None) -> None:
    """A cancelled probe counts as nothing and gives its permit back, wherever it was cancelled."""
    awaits = 4

    async def work() -> None:
        for _ in range(awaits):
            await asyncio.sleep(0)

    async def use(breaker: CircuitBreaker) -> None:
        if how == "decorator":
            await breaker(work)()
        elif how == "call":
            await breaker.call(work)
        else:
            async with breaker.guard():
                await work()

    async def main() -> None:
        for steps in range(awaits + 1):
            breaker, _ = half_opened(timeout=timeout)
            task = asyncio.create_task(use(breaker))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            counts = breaker.snapshot()
            assert (counts.successes, counts.failures) == (0, 1), "the one that opened it"
            assert breaker.try_acquire(), "the permit came back"

    asyncio.run(main())


def test_ignored_exception_gives_the_permit_back_and_passes_on() -> None:
    breaker, _ = half_opened(ignore=(BoomError,))
    with pytest.raises(BoomError):
        asyncio.run(breaker.call(fail))
    assert breaker.snapshot().failures == 1
    assert breaker.try_acquire()


def test_only_recorded_exceptions_count() -> None:
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=1, record=(OSError,)))
    with pytest.raises(BoomError):
        asyncio.run(breaker(fail)())
    assert breaker.state is State.CLOSED
    with pytest.raises(SystemExit), breaker.guard():
        raise SystemExit
    assert breaker.snapshot().failures == 0


@pytest.mark.parametrize("how", ["decorator", "call", "plain"])
def test_results_can_be_failures(how: str) -> None:
    policy = BreakerPolicy(consecutive_failures=2, is_failure=lambda result: result == 503)
    breaker = CircuitBreaker("b", policy, clock=FakeClock())

    async def main() -> list[object]:
        if how == "plain":
            return [breaker.call_sync(lambda: 503) for _ in range(2)]
        if how == "call":
            return [await breaker.call(succeed, 503) for _ in range(2)]
        return [await breaker(succeed)(503) for _ in range(2)]

    assert asyncio.run(main()) == [503, 503]
    assert breaker.state is State.OPEN


def test_broken_is_failure_leaks_no_permit() -> None:
    breaker, _ = half_opened(is_failure=lambda _: 1 / 0 > 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(breaker.call(succeed))
    assert breaker.try_acquire()


def test_timeout_fails_the_call_and_is_counted_as_one() -> None:
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=2, timeout=0.01))

    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await breaker(hang)()
        with pytest.raises(TimeoutError):
            async with breaker.guard():
                await hang()

    asyncio.run(main())
    assert breaker.state is State.OPEN
    assert breaker.snapshot().timeouts == 2


def test_no_timeout_machinery_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = CircuitBreaker("b")
    monkeypatch.delattr(asyncio, "timeout")

    async def main() -> None:
        assert await breaker(succeed)() == 1
        assert await breaker.call(succeed) == 1
        async with breaker.guard():
            pass

    asyncio.run(main())
    assert breaker.successes == 3


def test_plain_call_that_overran_returns_and_counts_as_timed_out() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=1, timeout=10.0), clock=clock)

    @breaker
    def work() -> str:
        clock.advance(10.5)
        return "late"

    assert work() == "late"
    assert breaker.state is State.OPEN
    assert breaker.snapshot().timeouts == 1


def test_open_circuit_raises_a_fresh_error_each_time() -> None:
    """A reused exception object grows its traceback with every raise."""
    breaker, clock = opened()
    guarded = breaker(succeed)
    depths = []
    errors = []
    for _ in range(3):
        with pytest.raises(CircuitOpenError) as caught:
            asyncio.run(guarded())
        errors.append(caught.value)
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
        clock.advance(1.0)
    assert len({id(e) for e in errors}) == 3
    assert len(set(depths)) == 1
    assert [e.retry_after for e in errors] == [30.0, 29.0, 28.0]
    assert errors[0].name == "b"


def test_clock_jumping_back_and_forth_never_closes_a_circuit() -> None:
    breaker, clock = opened()
    for jump in (-1e6, 29.0, -29.0, 1e6 - 1.0, -5.0):
        clock.advance(jump)
        assert breaker.try_acquire() == 0
        assert 0.0 <= breaker.retry_after() <= 2 * breaker.policy.max_recovery_seconds
    clock.advance(1e9)
    assert breaker.try_acquire()
    assert breaker.state is State.HALF_OPEN, "even a leap ahead has to be proven by a probe"


def test_clock_set_back_during_a_call_makes_it_neither_slow_nor_negative() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(
        "b", BreakerPolicy(slow_seconds=1.0, slow_rate=0.1, minimum_calls=1), clock=clock
    )
    with breaker.guard():
        clock.advance(-100.0)
    assert breaker.state is State.CLOSED


def test_disabled_lets_pass_and_counts_nothing() -> None:
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=1))
    breaker.disable()
    for _ in range(3):
        with pytest.raises(BoomError):
            asyncio.run(breaker(fail)())
    assert asyncio.run(breaker(succeed)()) == 1
    shot = breaker.snapshot()
    assert (shot.state, shot.successes, shot.failures) == (State.DISABLED, 0, 0)


def test_forced_open_holds_until_reset() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker("b", clock=clock)
    breaker.force_open()
    clock.advance(1e9)
    with pytest.raises(CircuitOpenError) as caught:
        breaker.acquire()
    assert caught.value.retry_after == 30.0
    breaker.reset()
    assert breaker.try_acquire()


def test_metrics_only_counts_and_never_opens() -> None:
    breaker = BreakerCore("b", BreakerPolicy(consecutive_failures=1, failure_rate=0.1))
    breaker.metrics_only()
    for _ in range(20):
        breaker.failure(breaker.try_acquire())
    shot = breaker.snapshot()
    assert (shot.state, shot.failures, shot.failure_rate) == (State.METRICS_ONLY, 20, 1.0)


def test_reset_forgets_the_window_and_makes_running_calls_harmless() -> None:
    breaker = BreakerCore("b", BreakerPolicy(consecutive_failures=2))
    running = breaker.try_acquire()
    breaker.failure(breaker.try_acquire())
    breaker.reset()
    breaker.failure(running)
    breaker.failure(breaker.try_acquire())
    assert breaker.state is State.CLOSED


def test_listeners_hear_every_change_and_cannot_break_a_call(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[tuple[str, State, State]] = []

    def broken(*_: object) -> None:
        raise BoomError

    clock = FakeClock()
    registry = BreakerRegistry(clock=clock)
    registry.add_listener(broken)
    breaker = registry.create("b", BreakerPolicy(consecutive_failures=1))
    registry.add_listener(lambda *change: heard.append(change))
    breaker.failure(breaker.try_acquire())
    clock.advance(30.0)
    breaker.success(breaker.try_acquire())
    assert heard == [
        ("b", State.CLOSED, State.OPEN),
        ("b", State.OPEN, State.HALF_OPEN),
        ("b", State.HALF_OPEN, State.CLOSED),
    ]
    assert "a listener of circuit 'b' failed" in caplog.text


def test_listener_may_use_the_breaker() -> None:
    breaker = BreakerCore("b", BreakerPolicy(consecutive_failures=1))
    breaker.add_listener(lambda *_: breaker.reset() if breaker.state is State.OPEN else None)
    breaker.failure(breaker.try_acquire())
    assert breaker.state is State.CLOSED


def test_registry_gives_one_breaker_a_name() -> None:
    registry = BreakerRegistry()
    first = registry.create("model", ML_MODEL)
    assert registry.create("model", ML_MODEL) is first is registry["model"]
    assert [b.name for b in registry] == ["model"]
    assert len(registry.snapshot()) == len(registry) == 1
    with pytest.raises(SettingsError, match="another policy"):
        registry.create("model", DATABASE)


def test_threads_that_create_a_breaker_at_once_make_one() -> None:
    """The listener is added once; the thread that comes second gets an error for its other policy."""
    interval = sys.getswitchinterval()
    heard: list[str] = []
    registry = BreakerRegistry()
    registry.add_listener(lambda name, *_: heard.append(name))
    policies = [BreakerPolicy(consecutive_failures=count) for count in (1, 2)]
    names = [str(number) for number in range(1000)]
    barrier = threading.Barrier(len(policies))

    def create(policy: BreakerPolicy) -> int:
        refused = 0
        barrier.wait()
        for name in names:
            try:
                registry.create(name, policy)
            except SettingsError:
                refused += 1
        return refused

    try:
        sys.setswitchinterval(1e-6)
        with concurrent.futures.ThreadPoolExecutor(len(policies)) as pool:
            refused = sum(pool.map(create, policies))
    finally:
        sys.setswitchinterval(interval)
    for breaker in registry:
        breaker.force_open()
    assert refused == len(names)
    assert heard == names


@pytest.mark.parametrize(
    "options",
    [
        {"consecutive_failures": 0},
        {"failure_rate": 0.0},
        {"failure_rate": 1.01},
        {"slow_rate": 0.5},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"recovery_seconds": float("inf")},
        {"backoff": 0.5},
        {"jitter": -0.1},
        {"probes": 1, "probe_successes": 2},
        {"minimum_calls": 101},
        {"window_seconds": -1.0},
    ],
)
def test_policy_refuses_values_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(options)).split("_")[0]):
        BreakerPolicy(**options)


def test_generators_are_refused() -> None:
    def stream() -> Any:
        yield 1

    with pytest.raises(TypeError, match="guard"):
        CircuitBreaker("b")(stream)


def test_decorator_keeps_name_and_async_nature() -> None:
    class Callable:
        async def __call__(self) -> int:
            return 7

    breaker = CircuitBreaker("b")
    assert breaker(succeed).__name__ == "succeed"
    assert asyncio.run(breaker(functools.partial(succeed, 5))()) == 5
    assert asyncio.run(breaker(Callable())()) == 7


def test_guard_is_entered_once() -> None:
    guard = CircuitBreaker("b").guard()
    with guard, pytest.raises(RuntimeError, match="in use"):
        guard.__enter__()


def test_guard_outside_a_task_leaks_no_permit() -> None:
    """``asyncio.timeout`` refuses to work there; the probe must not be lost with it."""
    breaker, _ = half_opened(timeout=1.0)
    entering = breaker.guard().__aenter__()
    with pytest.raises(RuntimeError):
        entering.send(None)
    assert breaker.try_acquire()


def test_thousands_of_concurrent_calls_are_counted_exactly() -> None:
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=None, failure_rate=1.0))

    @breaker
    async def work(n: int) -> None:
        await asyncio.sleep(0)
        if n % 3 == 0:
            raise BoomError

    async def main() -> None:
        await asyncio.gather(*(work(n) for n in range(1, 6001)), return_exceptions=True)

    asyncio.run(main())
    assert (breaker.successes, breaker.failures) == (4000, 2000)


def test_threads_share_a_breaker_without_losing_a_count() -> None:
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=None, failure_rate=1.0))

    def work(n: int) -> None:
        for i in range(500):
            if (i + n) % 5:
                breaker.call_sync(int)
            else:
                with pytest.raises(ZeroDivisionError), breaker.guard():
                    _ = 1 / 0

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert (breaker.successes, breaker.failures) == (3200, 800)


def test_a_breaker_with_its_window_is_small() -> None:
    """At most 250 bytes each, the window of 100 calls in use."""
    policy = BreakerPolicy(failure_rate=0.5)
    count = 2000
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    breakers: list[BreakerCore] = [None] * count  # type: ignore[list-item] - the list is paid for beforehand
    baseline, _ = tracemalloc.get_traced_memory()
    for n in range(count):
        breaker = breakers[n] = BreakerCore("b", policy)
        for _ in range(100):
            breaker.success(breaker.try_acquire())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert before < baseline
    assert (after - baseline) / count <= 250


def test_nothing_in_the_machine_reads_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "time")
    breaker = CircuitBreaker("b", BreakerPolicy(consecutive_failures=1, timeout=5.0))
    with pytest.raises(BoomError):
        asyncio.run(breaker(fail)())
    assert breaker.try_acquire() == 0


@dataclass
class _Model:
    """The breaker's rules written for the reader: whole histories, no cleverness."""

    policy: BreakerPolicy
    state: State = State.CLOSED
    generation: int = 1
    history: list[bool] = field(default_factory=list)
    until: float = 0.0
    trips: int = 0
    admitted: int = 0
    outcomes: list[bool] = field(default_factory=list)

    def enter(self, state: State, until: float = 0.0) -> None:
        self.state, self.until = state, until
        self.generation += 1
        self.history, self.outcomes, self.admitted = [], [], 0

    def trip(self, now: float) -> None:
        self.trips += 1
        wait = self.policy.recovery_seconds * self.policy.backoff ** (self.trips - 1)
        self.enter(State.OPEN, now + min(wait, self.policy.max_recovery_seconds))

    def acquire(self, now: float) -> bool:
        if self.state is State.OPEN and now >= self.until:
            self.enter(State.HALF_OPEN, now + self.policy.half_open_seconds)
        elif self.state is State.HALF_OPEN and now >= self.until:
            if self.admitted > len(self.outcomes):
                self.trip(now)
            else:
                self.enter(State.HALF_OPEN, now + self.policy.half_open_seconds)
        if self.state is State.HALF_OPEN:
            self.admitted += self.admitted < self.policy.probes
            return True
        return self.state in {State.CLOSED, State.DISABLED, State.METRICS_ONLY}

    def can_probe(self) -> bool:
        return self.admitted < self.policy.probes

    def settle(self, generation: int, now: float, *, good: bool) -> None:
        if generation != self.generation:
            return
        if self.state is State.HALF_OPEN:
            self.outcomes.append(good)
            if self.outcomes.count(True) >= self.policy.probe_successes:
                self.trips = 0
                self.enter(State.CLOSED)
            elif self.policy.probes - self.outcomes.count(False) < self.policy.probe_successes:
                self.trip(now)
        elif self.state in {State.CLOSED, State.METRICS_ONLY}:
            self.history.append(good)
            if self.state is State.CLOSED and self.should_open():
                self.trip(now)

    def should_open(self) -> bool:
        tail = list(itertools.takewhile(lambda good: not good, reversed(self.history)))
        recent = self.history[-self.policy.window_calls :]
        enough = len(recent) >= self.policy.minimum_calls
        assert self.policy.consecutive_failures is not None
        assert self.policy.failure_rate is not None
        return len(tail) >= self.policy.consecutive_failures or (
            enough and recent.count(False) / len(recent) >= self.policy.failure_rate
        )


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_an_awaitable_that_a_plain_function_returns_is_settled_when_it_ends(timeout: float | None) -> None:
    """A decorator between the breaker and a coroutine function must not hide the failures of the latter."""
    breaker = CircuitBreaker("x", BreakerPolicy(consecutive_failures=2, timeout=timeout))

    async def ask(answer: int) -> int:
        if answer < 0:
            raise ConnectionError("down")
        return answer

    @breaker
    def guarded(answer: int) -> Awaitable[int]:
        return ask(answer)

    async def main() -> list[str]:
        assert await guarded(3) == 3
        assert await breaker.call_sync(ask, 4) == 4
        ends = []
        for _ in range(3):
            try:
                await guarded(-1)
            except (ConnectionError, CircuitOpenError) as error:
                ends.append(type(error).__name__)
        return ends

    assert asyncio.run(main()) == ["ConnectionError", "ConnectionError", "CircuitOpenError"]
    assert (breaker.successes, breaker.failures) == (2, 2)


def test_an_exception_group_counts_as_its_members_do() -> None:
    """Task groups wrap what their tasks raise."""
    policy = BreakerPolicy(
        consecutive_failures=9, record=(ConnectionError, TimeoutError), ignore=(BrokenPipeError,)
    )
    breaker = CircuitBreaker("x", policy)

    def fail(*errors: Exception) -> tuple[int, int]:
        def ask() -> None:
            raise ExceptionGroup("outer", [ExceptionGroup("inner", list(errors))])

        with pytest.raises(ExceptionGroup):
            breaker.call_sync(ask)
        return breaker.failures, breaker.timeouts

    assert fail(ValueError(), BrokenPipeError()) == (0, 0)
    assert fail(ValueError(), ConnectionError()) == (1, 0)
    assert fail(TimeoutError()) == (2, 1)


class _BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, results, late results, resets and clock jumps agrees with the model."""

    def __init__(self) -> None:
        super().__init__()
        policy = BreakerPolicy(
            consecutive_failures=4,
            failure_rate=0.5,
            window_calls=8,
            minimum_calls=6,
            recovery_seconds=10.0,
            backoff=2.0,
            max_recovery_seconds=60.0,
            probes=3,
            probe_successes=2,
            half_open_seconds=20.0,
        )
        self.clock = FakeClock()
        self.breaker = BreakerCore("b", policy, clock=self.clock)
        self.model = _Model(policy)
        self.permits: list[int] = []

    @rule()
    def acquire(self) -> None:
        could_probe = self.model.can_probe()
        generation = self.model.generation
        allowed = self.model.acquire(self.clock())
        if self.model.state is State.HALF_OPEN and self.model.generation == generation:
            allowed = could_probe
        permit = self.breaker.try_acquire()
        assert bool(permit) == allowed
        if permit:
            assert permit == self.model.generation
            self.permits.append(permit)

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), good=st.booleans())
    def settle(self, data: st.DataObject, good: bool) -> None:
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        (self.breaker.success if good else self.breaker.failure)(permit)
        self.model.settle(permit, self.clock(), good=good)

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        self.breaker.release(permit)
        if permit == self.model.generation and self.model.state is State.HALF_OPEN:
            self.model.admitted -= 1

    @rule(seconds=st.sampled_from([-100.0, -1.0, 0.5, 9.5, 10.0, 20.0, 61.0]))
    def jump(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(how=st.sampled_from(["reset", "disable", "force_open", "metrics_only"]))
    def force(self, how: str) -> None:
        getattr(self.breaker, how)()
        self.model.trips = 0
        self.model.enter(
            {
                "reset": State.CLOSED,
                "disable": State.DISABLED,
                "force_open": State.FORCED_OPEN,
                "metrics_only": State.METRICS_ONLY,
            }[how]
        )

    @invariant()
    def agrees(self) -> None:
        assert self.breaker.state is self.model.state
        assert self.breaker.generation == self.model.generation
        if self.model.state is State.CLOSED:
            assert self.breaker.snapshot().calls == len(self.model.history[-8:])


TestBreakerMachine = _BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
