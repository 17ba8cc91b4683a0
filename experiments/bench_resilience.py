"""What breaker, token bucket and cache add to a call, beside the bare operation and the libraries at hand.

    python experiments/bench_resilience.py [--rounds 15]

Every contender is timed in each round, in a different order, and the median counts; the ratio is to the bare operation
of the same table. Libraries that are not installed (they come with the extra ``dev``) are left out and named.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from statistics import median
from time import perf_counter

from peers import library, missing

from crisol.errors import CircuitOpenError
from crisol.records import Prediction
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.cache import Cache
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.kinds import PREDICTION
from crisol.resilience.policy import BreakerPolicy

CALLS = 20_000
Loop = Callable[[], float]


async def answer() -> int:
    """Do nothing, as cheaply as a coroutine can."""
    return 1


def awaiting(fn: Callable[[], Awaitable[object]], runner: asyncio.Runner) -> Loop:
    """Return a function that awaits ``fn`` many times and returns the seconds of one call."""

    async def loop() -> float:
        start = perf_counter()
        for _ in range(CALLS):
            await fn()
        return (perf_counter() - start) / CALLS

    return lambda: runner.run(loop())


def calling(fn: Callable[[], object]) -> Loop:
    """Return a function that calls ``fn`` many times and returns the seconds of one call."""

    def loop() -> float:
        start = perf_counter()
        for _ in range(CALLS):
            fn()
        return (perf_counter() - start) / CALLS

    return loop


def compare(title: str, contenders: dict[str, Loop], rounds: int) -> None:
    """Time all contenders in interleaved rounds and print them, the first being the bare operation."""
    names, seconds = list(contenders), {name: [] for name in contenders}
    order = random.Random(0)
    for name in names:
        contenders[name]()
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            seconds[name].append(contenders[name]())
    bare, *_ = contenders
    base = median(seconds[bare])
    print(f"\n{title}")
    for name in contenders:
        one = median(seconds[name])
        print(f"  {name:<34} {one * 1e6:9.3f} us  {one / base:7.1f}x")


def closed(runner: asyncio.Runner) -> dict[str, Loop]:
    """Return calls through a closed breaker."""
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5, window_calls=100)
    contenders = {
        "bare await": awaiting(answer, runner),
        "crisol, window of 100": awaiting(CircuitBreaker("window", policy)(answer), runner),
        "crisol, consecutive failures": awaiting(CircuitBreaker("plain")(answer), runner),
    }
    if purgatory := library("purgatory"):
        contenders["purgatory"] = awaiting(purgatory.AsyncCircuitBreakerFactory()("x")(answer), runner)
    if circuitbreaker := library("circuitbreaker"):
        contenders["circuitbreaker"] = awaiting(circuitbreaker.circuit(answer), runner)
    if aiobreaker := library("aiobreaker"):
        breaker = aiobreaker.CircuitBreaker(timeout_duration=timedelta(seconds=30))
        contenders["aiobreaker"] = awaiting(lambda: breaker.call_async(answer), runner)
    if pybreaker := library("pybreaker"):
        contenders["pybreaker (plain function)"] = calling(pybreaker.CircuitBreaker()(lambda: 1))
    return contenders


def opened() -> dict[str, Loop]:
    """Return calls that an open breaker holds back."""
    breaker = CircuitBreaker("open")
    breaker.force_open()
    guarded = breaker(lambda: 1)

    def rejected(fn: Callable[[], object], error: type[BaseException]) -> Callable[[], object]:
        def call() -> None:
            try:
                fn()
            except error:
                return
            raise AssertionError("the breaker is not open")

        return call

    def bare() -> None:
        raise KeyError("x")

    contenders = {
        "bare raise": calling(rejected(bare, KeyError)),
        "crisol, try_acquire": calling(breaker.try_acquire),
        "crisol, raised": calling(rejected(guarded, CircuitOpenError)),
    }
    if circuitbreaker := library("circuitbreaker"):
        other = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=3600)
        failing = other(bare)
        rejected(failing, KeyError)()
        contenders["circuitbreaker"] = calling(rejected(failing, circuitbreaker.CircuitBreakerError))
    if pybreaker := library("pybreaker"):
        third = pybreaker.CircuitBreaker()
        third.open()
        contenders["pybreaker"] = calling(rejected(third(lambda: 1), pybreaker.CircuitBreakerError))
    return contenders


def buckets() -> dict[str, Loop]:
    """Return decisions for one of a thousand clients."""
    keys = [f"203.0.113.{n}" for n in range(1000)]
    counts = dict.fromkeys(keys, 0)
    bucket = TokenBucket(Rate(1e9, 1.0))
    at = iter(range(10**12))

    def increment() -> None:
        counts[keys[next(at) % 1000]] += 1

    contenders = {
        "dict increment": calling(increment),
        "crisol, take": calling(lambda: bucket.take(keys[next(at) % 1000])),
    }
    if limits := library("limits"):
        limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
        rate = limits.RateLimitItemPerSecond(10**9)
        contenders["limits, fixed window"] = calling(lambda: limiter.hit(rate, keys[next(at) % 1000]))
    if throttled := library("throttled"):
        store = throttled.MemoryStore()
        quota = throttled.rate_limiter.per_sec(10**6, burst=10**6)
        bucket_of = throttled.Throttled(using="token_bucket", quota=quota, store=store)
        contenders["throttled, token bucket"] = calling(lambda: bucket_of.limit(keys[next(at) % 1000]))
    return contenders


def hits(runner: asyncio.Runner) -> dict[str, Loop]:
    """Return hits of a cached prediction."""
    value, key = Prediction(0.9, "model-1", "f1"), PREDICTION.key("diff", "CVE-2020-1747", "model-1")
    plain, cache = {key: value}, Cache()
    runner.run(cache.get_or_compute(PREDICTION, key, lambda: value))
    contenders = {
        "dict.get": calling(lambda: plain.get(key)),
        "crisol, get": calling(lambda: cache.get(PREDICTION, key)),
        "crisol, get_or_compute": awaiting(
            lambda: cache.get_or_compute(PREDICTION, key, lambda: value), runner
        ),
    }
    if cachetools := library("cachetools"):
        timed = cachetools.TTLCache(1000, 86_400)
        timed[key] = value
        contenders["cachetools.TTLCache"] = calling(lambda: timed.get(key))
    if aiocache := library("aiocache"):
        memory = aiocache.SimpleMemoryCache()
        runner.run(memory.set(key, value))
        contenders["aiocache.SimpleMemoryCache"] = awaiting(lambda: memory.get(key), runner)
    return contenders


def memory() -> None:
    """Print what a hundred thousand of each weigh."""
    n = 100_000
    keys = [f"client-{i:07d}" for i in range(n)]
    bucket = TokenBucket(Rate(100, 3600), capacity=n)
    print("\nmemory, bytes each at 100,000")
    print(f"  bucket {weight(lambda: [bucket.take(key) for key in keys] and None) / n:.0f}")
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5)
    breakers: list[CircuitBreaker] = []
    names = [str(i) for i in range(n)]
    print(
        f"  breaker with window {weight(lambda: breakers.extend(CircuitBreaker(x, policy) for x in names)) / n:.0f}"
    )
    flood = TokenBucket(Rate(100, 3600))
    grown = weight(lambda: [flood.take(f"spoofed-{i}") for i in range(500_000)] and None)
    print(f"  500,000 spoofed clients: {grown / 2**20:.1f} MiB in all")


def weight(fill: Callable[[], object]) -> int:
    """Return the bytes that are still allocated after ``fill``."""
    gc.collect()
    tracemalloc.start()
    fill()
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return grown


def main() -> None:
    """Print one table for each core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with asyncio.Runner() as runner:
        compare("breaker, CLOSED", closed(runner), rounds)
        compare("breaker, OPEN", opened(), rounds)
        compare("token bucket in process", buckets(), rounds)
        compare("cache hit in process", hits(runner), rounds)
    memory()
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
