"""What breaker, token bucket and cache add to a call, beside the bare operation and the libraries at hand.

    python experiments/bench/bench_resilience.py [--rounds 15]

Every contender is timed in each round, in a different order, and the median counts; the ratio is to the bare
operation of the same table. What happens in this process is timed in CPU seconds, so that what else the
machine does counts less; what waits for Redis by the clock. Libraries that are not installed (they come with
the extra ``dev``) are left out and named.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from secrets import token_hex
from statistics import median
from time import perf_counter, process_time
from typing import Any

import prometheus_client
from peers import lend_redis, library, missing
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crisol.backends.redis import RedisBucket, RedisTier, connect
from crisol.errors import CircuitOpenError
from crisol.metrics import Metrics, names
from crisol.records import Prediction
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.kinds import PREDICTION
from crisol.resilience.policy import BreakerPolicy
from crisol.service.ratelimit import RateLimitMiddleware
from crisol.service.responder import Responder

CALLS = 20_000
REDIS_CALLS = 500
Loop = Callable[[], float]


async def answer() -> int:
    """Do nothing, as cheaply as a coroutine can."""
    return 1


def awaiting(
    fn: Callable[[], Awaitable[object]],
    runner: asyncio.Runner,
    calls: int = CALLS,
    clock: Callable[[], float] = process_time,
) -> Loop:
    """Return a function that awaits ``fn`` many times and returns the seconds of one call."""

    async def loop() -> float:
        start = clock()
        for _ in range(calls):
            await fn()
        return (clock() - start) / calls

    return lambda: runner.run(loop())


def calling(fn: Callable[[], object]) -> Loop:
    """Return a function that calls ``fn`` many times and returns the seconds of one call."""

    def loop() -> float:
        start = process_time()
        for _ in range(CALLS):
            fn()
        return (process_time() - start) / CALLS

    return loop


def for_each(keys: list[str], fn: Callable[[str], object]) -> Loop:
    """Return a function that calls ``fn`` with every key in turn and returns the seconds of one call."""

    def loop() -> float:
        start = process_time()
        for _ in range(CALLS // len(keys)):
            for key in keys:
                fn(key)
        return (process_time() - start) / CALLS

    return loop


def compare(title: str, contenders: dict[str, Loop], rounds: int, mission: float | None = None) -> None:
    """Time all contenders in interleaved rounds and print them, the first being the bare operation.

    ``mission`` is the mark, in seconds, that the mission set for the operation; each of ours is set beside
    it.
    """
    order_of, seconds = list(contenders), {name: [] for name in contenders}
    order = random.Random(0)
    for name in order_of:
        contenders[name]()
    for _ in range(rounds):
        order.shuffle(order_of)
        for name in order_of:
            seconds[name].append(contenders[name]())
    bare, *_ = contenders
    base = median(seconds[bare])
    print(f"\n{title}")
    for name in contenders:
        middle = median(seconds[name])
        beside = (
            f"   {mission / middle:,.0f} times under the mission's {mission * 1e3:g} ms" if mission else ""
        )
        print(
            f"  {name:<34} {middle * 1e6:9.3f} us  "
            f"{middle / base:7.1f}x{beside if name.startswith('crisol') else ''}"
        )


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


async def answer_not() -> int:
    """Fail, as cheaply as a coroutine can."""
    raise KeyError("x")


def refused(
    fn: Callable[[], Awaitable[object]], error: type[BaseException]
) -> Callable[[], Awaitable[object]]:
    """Return a coroutine function that awaits ``fn``, which must raise ``error``."""

    async def call() -> None:
        try:
            await fn()
        except error:
            return
        raise AssertionError("the breaker is not open")

    return call


def opened(runner: asyncio.Runner) -> dict[str, Loop]:
    """Return calls that an open breaker holds back."""
    breaker = CircuitBreaker("open", BreakerPolicy(consecutive_failures=1, recovery_seconds=3600.0))
    breaker.failure(breaker.acquire())
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
    if aiobreaker := library("aiobreaker"):
        fourth = aiobreaker.CircuitBreaker(timeout_duration=timedelta(hours=1))
        fourth.open()
        contenders["aiobreaker"] = awaiting(
            refused(lambda: fourth.call_async(answer), aiobreaker.CircuitBreakerError), runner
        )
    if purgatory := library("purgatory"):
        failing_too = purgatory.AsyncCircuitBreakerFactory(1, 3600)("x")(answer_not)
        runner.run(refused(failing_too, KeyError)())
        contenders["purgatory"] = awaiting(refused(failing_too, purgatory.domain.model.OpenedState), runner)
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

    def increment(key: str) -> None:
        counts[key] += 1

    contenders = {
        "dict increment": for_each(keys, increment),
        "crisol, take": for_each(keys, bucket.take),
    }
    if limits := library("limits"):
        limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
        hit = partial(limiter.hit, limits.RateLimitItemPerSecond(10**9))
        contenders["limits, fixed window"] = for_each(keys, hit)
    if throttled := library("throttled"):
        store = throttled.MemoryStore()
        quota = throttled.rate_limiter.per_sec(10**6, burst=10**6)
        bucket_of = throttled.Throttled(using="token_bucket", quota=quota, store=store)
        contenders["throttled, token bucket"] = for_each(keys, bucket_of.limit)
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


def in_redis(runner: asyncio.Runner, url: str) -> tuple[dict[str, Loop], dict[str, Loop]]:
    """Return a decision of a bucket in Redis beside PING, and a hit of the cache in Redis beside GET."""
    client = connect(url, socket_seconds=5.0)
    bucket = RedisBucket(client, Rate(1e6, 1.0), prefix=token_hex(8))
    tier, key = RedisTier(client, prefix=token_hex(8)), PREDICTION.key("diff", "CVE-2020-1747", "model-1")
    entry = PREDICTION.codec.encode(key, Prediction(0.9, "model-1", "f1"))

    async def fill() -> None:
        await client.set(b"bench-raw", entry, ex=3600)
        answer = await tier.get(key, ("model-1",))
        await tier.put(key, ("model-1",), entry, 3600.0, answer.ticket)

    runner.run(fill())
    decisions = {
        "PING": awaiting(client.ping, runner, REDIS_CALLS, perf_counter),
        "crisol, take": awaiting(lambda: bucket.take("client"), runner, REDIS_CALLS, perf_counter),
    }
    lookups = {
        "raw GET": awaiting(lambda: client.get(b"bench-raw"), runner, REDIS_CALLS, perf_counter),
        "crisol, look up": awaiting(lambda: tier.get(key, ("model-1",)), runner, REDIS_CALLS, perf_counter),
    }
    return decisions, lookups


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer as cheaply as an ASGI application can."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def limiters(runner: asyncio.Runner) -> dict[str, Loop]:
    """Return requests through a rate limiter that adds its headers, in process."""
    scope = {
        "type": "http", "method": "GET", "path": "/items", "root_path": "", "query_string": b"",
        "headers": [],
        "client": ("203.0.113.7", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        del message

    def through(app: Any) -> Loop:
        return awaiting(lambda: app(dict(scope), receive, send), runner, 2_000)

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return await call_next(request)

    limiter = RateLimitMiddleware(hello, {"items": TokenBucket(Rate(1e9, 1.0))}, route=lambda _: "items")
    contenders = {
        "bare application": through(hello),
        "crisol, with headers": through(Responder(limiter)),
        "BaseHTTPMiddleware that does nothing": through(Passing(hello)),
    }
    if (slowapi := library("slowapi")) and (util := library("slowapi.util")):
        peer = slowapi.Limiter(key_func=util.get_remote_address, headers_enabled=True)

        @peer.limit("1000000000/second")
        async def items(request: Request) -> Response:
            del request
            return Response(b"hello")

        app = Starlette(routes=[Route("/items", items)])
        app.state.limiter = peer

        async def plain(request: Request) -> Response:
            del request
            return Response(b"hello")

        contenders["Starlette alone"] = through(Starlette(routes=[Route("/items", plain)]))
        contenders["Starlette and slowapi, headers"] = through(app)
    return contenders


def counters() -> dict[str, Loop]:
    """Return one update of a metric."""
    counts = {"a": 0}
    metrics = Metrics()
    counter = metrics.counter(names.RATE_LIMITS, "ml-first", "allowed")
    theirs = prometheus_client.Counter("bench", "x", ["endpoint", "result"], registry=None)
    child = theirs.labels("ml-first", "allowed")

    def increment() -> None:
        counts["a"] += 1

    return {
        "dict increment": calling(increment),
        "crisol, a counter's add": calling(counter.add),
        "prometheus-client, child kept": calling(child.inc),
        "prometheus-client, labels each time": calling(lambda: theirs.labels("ml-first", "allowed").inc()),
    }


def memory() -> None:
    """Print what a hundred thousand of each weigh."""
    n = 100_000
    keys = [f"client-{i:07d}" for i in range(n)]
    bucket = TokenBucket(Rate(100, 3600), capacity=n)
    print("\nmemory, bytes each at 100,000")
    print(f"  bucket {weight(lambda: [bucket.take(key) for key in keys] and None) / n:.0f}")
    policy = BreakerPolicy(consecutive_failures=None, failure_rate=0.5)
    breakers: list[CircuitBreaker] = []
    labels = [str(i) for i in range(n)]
    print(
        "  breaker with window "
        f"{weight(lambda: breakers.extend(CircuitBreaker(x, policy) for x in labels)) / n:.0f}"
    )
    held: list[Prediction] = []
    asked = [PREDICTION.key("diff", i, "model-1") for i in range(n)]
    values = [Prediction(0.9 + i * 1e-9, "model-1", "f1") for i in range(n)]
    cache = Cache(budget=1 << 40)

    async def fill() -> None:
        for key, value in zip(asked, values, strict=True):
            await cache.get_or_compute(PREDICTION, key, lambda value=value: value)

    grown = weight(lambda: asyncio.run(fill()))
    beside = weight(
        lambda: held.extend(
            PREDICTION.codec.decode(k, PREDICTION.codec.encode(k, v))
            for k, v in zip(asked, values, strict=True)
        )
    )
    print(f"  cached prediction, beyond its key and value {(grown - beside) / n:.0f}")
    flood = TokenBucket(Rate(100, 3600))
    grown = weight(lambda: [flood.take(f"spoofed-{i}") for i in range(500_000)] and None)
    print(f"  500,000 spoofed clients: {grown / 2**20:.1f} MiB in all")


def refill() -> None:
    """Print how far from its due moment a token comes back, at rates from 1 a minute to 1,000 a second."""
    worst = 0.0
    for rate in (Rate(1), Rate(7), Rate(100), Rate(1000, 1.0)):
        clock = FakeClock()
        bucket = TokenBucket(rate, clock=clock)
        while (room := bucket.take("client")) >= 0.0:
            pass
        # To just before the moment that the bucket names, then on by microseconds until it grants one.
        clock.advance(-room - 1e-4)
        while bucket.take("client") < 0.0:
            clock.advance(1e-6)
        worst = max(worst, abs(clock() - 1000.0 - rate.interval))
    print(
        "\n"
        f"refill: at most {worst * 1e6:.0f} us off, {1e-2 / max(worst, 1e-6):,.0f} times under the "
        "mission's 10 ms"
    )


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
        compare("breaker, CLOSED", closed(runner), rounds, mission=1e-4)
        compare("breaker, OPEN", opened(runner), rounds, mission=1e-5)
        compare("token bucket in process", buckets(), rounds, mission=1e-3)
        compare("cache hit in process", hits(runner), rounds, mission=5e-3)
        compare("rate limit middleware", limiters(runner), rounds, mission=2e-3)
        compare("one update of a metric", counters(), rounds)
        with lend_redis() as loan:
            decisions, lookups = in_redis(runner, loan.url)
            compare("token bucket in Redis", decisions, rounds, mission=1e-3)
            compare("cache lookup in Redis", lookups, rounds, mission=5e-3)
    refill()
    memory()
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
