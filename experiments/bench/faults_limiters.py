"""What rate limiters get wrong: each fault is provoked in Crisol's and in every library at hand.

    python experiments/bench/faults_limiters.py

Prints one Markdown table; ``ok`` means that the fault could not be provoked, ``-`` that the library has no
such part. Redis is the one of ``TEST_REDIS_URL``, or one that the script starts as the tests do. Libraries
that are not installed (they come with the extra ``dev``) are left out and named.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from peers import RedisOnLoan, lend_redis, library, missing, print_table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from crisol.backends.redis import RedisBucket, connect
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.service.address import client_address
from crisol.service.ratelimit import RateLimitMiddleware
from crisol.service.responder import Responder

Cell = Callable[[], str]
FLOOD = 200_000


def scope(path: str = "/", **headers: str) -> dict[str, Any]:
    """Return a request as an ASGI server hands it on."""
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "client": ("203.0.113.7", 1234),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


async def status(app: Any, request: dict[str, Any]) -> int:
    """Return the status with which the application answers."""
    seen: list[int] = []

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(request, receive, send)
    return seen[0]


def of_slowapi(slowapi: Any, uri: str | None = None, limit: str = "1/minute") -> Any:
    """Return an application with one limited route, as slowapi's documentation writes it."""
    from slowapi.errors import RateLimitExceeded  # noqa: PLC0415 - optional

    limiter = slowapi.Limiter(key_func=slowapi.util.get_remote_address, storage_uri=uri, headers_enabled=True)

    @limiter.limit(limit)
    async def item(request: Request) -> PlainTextResponse:
        del request
        return PlainTextResponse("here")

    app = Starlette(routes=[Route("/items/{id}", item)])
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)  # noqa: SLF001 - the documented name
    return app


def of_crisol(bucket: Any) -> Responder:
    """Return the same application behind Crisol's middleware."""

    async def item(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    return Responder(RateLimitMiddleware(item, {"items": bucket}, route=lambda _: "items"))


# What a second of sleep gives back: ten a second, ten at most.


def refill_of_crisol() -> str:
    """Take all, wait for half of it, take again."""
    bucket = TokenBucket(Rate(10, 1.0))
    return _refilled(lambda: bucket.decide("a").allowed)


def refill_of_throttled(throttled: Any) -> str:
    """Do the same."""
    quota = throttled.rate_limiter.per_sec(10, burst=10)
    limiter = throttled.Throttled(using="token_bucket", quota=quota, store=throttled.MemoryStore())
    return _refilled(lambda: not limiter.limit("a").limited)


def _refilled(ask: Callable[[], bool]) -> str:
    # From the middle of a second, so that whole seconds cannot hide in a lucky moment.
    time.sleep(1.25 - time.time() % 1.0)
    while ask():
        pass
    time.sleep(0.5)
    got = sum(ask() for _ in range(20))
    return "ok" if 4 <= got <= 6 else f"**{got} instead of 5**"


def expiry_of_crisol(loan: RedisOnLoan) -> str:
    """Ask two hundred times at once at a hundred a second with a burst of ten."""

    async def main() -> int:
        client = connect(loan.url, socket_seconds=5.0)
        bucket = RedisBucket(client, Rate(100, 1.0, burst=10), prefix=uuid.uuid4().hex)
        start = time.perf_counter()
        allowed = sum([(await bucket.decide("a")).allowed for _ in range(200)])
        due = 11 + 100 * (time.perf_counter() - start)
        await client.aclose()
        return allowed - int(due)

    over = asyncio.run(main())
    return "ok" if over <= 0 else f"**{over} too many**"


def expiry_of_throttled(throttled: Any, loan: RedisOnLoan) -> str:
    """Do the same."""
    quota = throttled.rate_limiter.per_sec(100, burst=10)
    store = throttled.RedisStore(server=loan.url)
    limiter = throttled.Throttled(using="token_bucket", quota=quota, store=store)
    key, start = uuid.uuid4().hex, time.perf_counter()
    allowed = sum(not limiter.limit(key).limited for _ in range(200))
    over = allowed - int(11 + 100 * (time.perf_counter() - start))
    return "ok" if over <= 0 else f"**{over} of 200 too many**"


def eviction_of_crisol() -> str:
    """Spend everything, invent names, ask again."""
    bucket = TokenBucket(Rate(1, 3600), capacity=1024)
    return _evicted(lambda name: bucket.decide(name).allowed)


def eviction_of_throttled(throttled: Any) -> str:
    """Do the same with the store's own size, 1024."""
    quota = throttled.rate_limiter.per_hour(1, burst=1)
    limiter = throttled.Throttled(using="token_bucket", quota=quota, store=throttled.MemoryStore())
    return _evicted(lambda name: not limiter.limit(name).limited)


def eviction_of_limits(limits: Any) -> str:
    """Do the same."""
    limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    return _evicted(lambda name: limiter.hit(limits.RateLimitItemPerHour(1), name))


def _evicted(ask: Callable[[str], bool]) -> str:
    ask("attacker")
    if ask("attacker"):
        raise RuntimeError("the limit does not hold")
    for n in range(2000):
        ask(f"invented-{n}")
    return "**a fresh bucket**" if ask("attacker") else "ok"


def growth_of_crisol() -> str:
    """Ask under many invented names and count what is kept."""
    bucket = TokenBucket(Rate(1, 3600))
    for n in range(FLOOD):
        bucket.take(f"invented-{n}")
    return "ok" if len(bucket) <= 100_000 else f"**{len(bucket):,} kept**"


def growth_of_limits(limits: Any) -> str:
    """Do the same."""
    storage = limits.storage.MemoryStorage()
    limiter = limits.strategies.FixedWindowRateLimiter(storage)
    for n in range(FLOOD):
        limiter.hit(limits.RateLimitItemPerHour(1), f"invented-{n}")
    return "ok" if len(storage.storage) <= FLOOD // 2 else f"**{len(storage.storage):,} of {FLOOD:,} kept**"


def address_of_slowapi(slowapi: Any) -> str:
    """Ask whose request it is when a stranger writes a header."""
    # The name that it reads is the one with underscores.
    request = Request(scope() | {"headers": [(b"x_forwarded_for", b"1.2.3.4")]})
    address = slowapi.util.get_ipaddr(request)
    return f"**believes {address}** (`get_ipaddr`)" if address == "1.2.3.4" else "ok"


def path_of(app: Any) -> str:
    """Ask for two items of one route under a limit of one a minute."""

    async def main() -> int:
        await status(app, scope("/items/1"))
        return await status(app, scope("/items/2"))

    return "ok" if asyncio.run(main()) == 429 else "**each path its own bucket**"


def trips(build: Callable[[], Any], loan: RedisOnLoan) -> str:
    """Count how often one limited request with headers goes to Redis."""

    async def main() -> int:
        app = build()
        await status(app, scope("/items/1"))
        before = loan.reads()
        await status(app, scope("/items/1"))
        return loan.reads() - before - 1

    count = asyncio.run(main())
    return "ok" if count == 1 else f"**{count} trips**"


def blocking(build: Callable[[], Any], loan: RedisOnLoan) -> str:
    """Measure for how long everything else stands still while Redis hangs during one request."""

    async def main() -> float:
        app = build()
        await status(app, scope("/items/1"))
        longest, last, done = 0.0, time.perf_counter(), asyncio.Event()

        async def tick() -> None:
            nonlocal longest, last
            while not done.is_set():
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                longest, last = max(longest, now - last), now

        ticking = asyncio.ensure_future(tick())
        await asyncio.sleep(0.01)
        with loan.hung(seconds=2.0):
            await status(app, scope("/items/1"))
            done.set()
            await ticking
        return longest

    stood = asyncio.run(main())
    return "ok" if stood < 0.5 else f"**{stood:.1f} s for everybody**"


def main() -> None:
    """Print the table."""
    limits, slowapi, throttled = library("limits"), library("slowapi"), library("throttled")
    library("slowapi.util")
    names = ["crisol", *(name for name in ("limits", "slowapi", "throttled") if library(name) is not None)]
    with lend_redis() as loan:

        def shared() -> Any:
            return of_crisol(RedisBucket(connect(loan.url), Rate(100), prefix=uuid.uuid4().hex))

        def slow() -> Any:
            return of_slowapi(slowapi, loan.url, "100/minute")

        faults: dict[str, dict[str, Cell]] = {
            "refills in whole seconds": {
                "crisol": refill_of_crisol,
                "throttled": lambda: refill_of_throttled(throttled),
            },
            "a short bucket in Redis expires at once": {
                "crisol": lambda: expiry_of_crisol(loan),
                "throttled": lambda: expiry_of_throttled(throttled, loan),
            },
            "invented names buy a fresh bucket": {
                "crisol": eviction_of_crisol,
                "limits": lambda: eviction_of_limits(limits),
                "throttled": lambda: eviction_of_throttled(throttled),
            },
            "invented names grow without bound": {
                "crisol": growth_of_crisol,
                "limits": lambda: growth_of_limits(limits),
            },
            "a stranger's X-Forwarded-For counts": {
                "crisol": lambda: (
                    "ok" if client_address(scope(x_forwarded_for="1.2.3.4")) == "203.0.113.7" else "**yes**"
                ),
                "slowapi": lambda: address_of_slowapi(slowapi),
            },
            "the path is the key, not the route": {
                "crisol": lambda: path_of(of_crisol(TokenBucket(Rate(1)))),
                "slowapi": lambda: path_of(of_slowapi(slowapi)),
            },
            "headers cost more trips to Redis": {
                "crisol": lambda: trips(shared, loan),
                "slowapi": lambda: trips(slow, loan),
            },
            "a Redis that hangs stops the event loop": {
                "crisol": lambda: blocking(shared, loan),
                "slowapi": lambda: blocking(slow, loan),
            },
        }
        rows = {
            fault: [cells[name]() if name in cells else "-" for name in names]
            for fault, cells in faults.items()
        }
    print_table("Rate limiters", names, rows)
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
