"""Buckets and cache entries in a real Redis.

One round trip, right across processes, bearable when it is away.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

import pytest
from redis.asyncio import Redis

from crisol.backends.redis import RedisBucket, RedisTier, connect
from crisol.backends.redis.cache import LONGEST
from crisol.errors import InputError, SettingsError, StoreError, UnavailableError
from crisol.resilience.bucket import Rate
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.resilience.kinds import Kind
from crisol.servers import RedisServer, SlowProxy

pytestmark = pytest.mark.integration

TEXT: Kind[str] = Kind("text", str, ttl=100.0)


@asynccontextmanager
async def client(url: str, **options: float) -> AsyncIterator[Redis]:
    connection = connect(url, **options)  # type: ignore[arg-type] # the test's options are all numbers
    try:
        yield connection
    finally:
        await connection.aclose()


def prefix() -> str:
    return f"test-{secrets.token_hex(8)}"


async def commands(connection: Redis) -> int:
    """Return how many commands the server has been sent, this one left out."""
    return int((await connection.info("stats"))["total_commands_processed"])


def test_a_shared_bucket_lets_exactly_its_burst_pass(redis_url: str) -> None:
    """Through several connections at once; the refusals say how long to wait."""

    async def main() -> None:
        name = prefix()
        # Long enough that a busy machine does not send the decision to the fallback.
        patient = {"socket_seconds": 5.0, "pool_seconds": 5.0}
        async with client(redis_url, **patient) as first, client(redis_url, **patient) as other:
            buckets = [RedisBucket(connection, Rate(20, 3600), prefix=name) for connection in (first, other)]
            taken = await asyncio.gather(*(buckets[n % 2].decide("client") for n in range(100)))
        assert sum(decision.allowed for decision in taken) == 20
        waits = [decision.retry_after for decision in taken if not decision.allowed]
        assert all(170.0 < wait <= 180.0 for wait in waits)

    asyncio.run(main())


def test_a_decision_is_one_round_trip_and_its_key_expires(redis_url: str) -> None:
    """After the script is known to the server.

    A short-lived bucket does not vanish at once: 2 * burst / rate < 1 s.
    """

    async def main() -> None:
        async with client(redis_url) as connection:
            bucket = RedisBucket(connection, Rate(1000, 1, burst=2), prefix=(name := prefix()))
            await bucket.take("a")
            before = await commands(connection)
            await bucket.take("b")
            # The script's own TIME, GET and SET run inside the server.
            assert await commands(connection) - before <= 1 + 1 + 3
            slow = RedisBucket(connection, Rate(2, 1), prefix=name)
            assert [(await slow.decide("c")).allowed for _ in range(3)] == [True, True, False]
            (key,) = [key async for key in connection.scan_iter(f"{name}:bucket:*:c")]
            assert 0 < await connection.pttl(key) <= 1000

    asyncio.run(main())


def test_cost_peek_reset_and_other_policies(redis_url: str) -> None:
    """A changed policy starts afresh.

    A cost of nothing takes nothing; what no bucket could pay is an error.
    """

    async def main() -> None:
        async with client(redis_url) as connection:
            bucket = RedisBucket(connection, Rate(5, 3600), prefix=(name := prefix()))
            assert (await bucket.decide("a", 5)).allowed
            assert not (await bucket.decide("a", 1)).allowed
            assert (await bucket.peek("a")).remaining == 0
            assert (await RedisBucket(connection, Rate(6, 3600), prefix=name).decide("a")).allowed
            await bucket.reset("a")
            assert (await bucket.peek("a")).remaining == 5
            with pytest.raises(InputError):
                await bucket.take("a", 6)
            assert await RedisBucket(connection, Rate.unlimited()).take("a") == math.inf

    asyncio.run(main())


@pytest.mark.parametrize(("fallback", "allowed"), [("local", 3), ("open", 10), ("closed", 0)])
@pytest.mark.parametrize("fault", ["kill", "stop", "full"])
def test_without_redis_the_fallback_decides(
    redis_server: Callable[..., RedisServer], fallback: str, allowed: int, fault: str
) -> None:
    """Killed, hung or full.

    A hung server costs a few time-outs until the breaker opens, not one for every request.
    """
    server = redis_server("--maxmemory-policy", "noeviction")

    async def main() -> None:
        async with client(server.url) as connection:
            bucket = RedisBucket(connection, Rate(3, 3600), fallback=fallback)  # type: ignore[arg-type] # one of its literals
            await bucket.take("before")
            if fault == "full":
                await connection.config_set("maxmemory", 1)
            else:
                getattr(server, fault)()
            start = perf_counter()
            decisions = [await bucket.decide("client") for _ in range(10)]
            assert sum(decision.allowed for decision in decisions) == allowed
            assert bucket.fallbacks == 10
            assert perf_counter() - start < 5.0

    asyncio.run(main())


@pytest.mark.parametrize("taken", [2, 4])
def test_what_was_taken_from_redis_is_not_given_again_without_it(
    redis_server: Callable[..., RedisServer], taken: int
) -> None:
    """A Redis that is late for a moment is not worth a new burst, neither of one process nor of several."""
    server = redis_server()

    async def main() -> None:
        async with client(server.url, socket_seconds=5.0) as connection:
            first, other = (RedisBucket(connection, Rate(4, 3600)) for _ in range(2))
            for _ in range(taken):
                await first.take("client")
            room = (await other.peek("client")).remaining
            server.kill()
            allowed = [
                sum([(await bucket.decide("client")).allowed for _ in range(5)]) for bucket in (first, other)
            ]
            assert allowed == [room, room] == [4 - taken, 4 - taken]

    asyncio.run(main())


def test_a_script_that_the_server_forgot_is_sent_again(redis_server: Callable[..., RedisServer]) -> None:
    """A restart empties its script cache."""
    server = redis_server()

    async def main() -> None:
        async with client(server.url) as connection:
            bucket = RedisBucket(connection, Rate(3, 3600))
            await bucket.take("a")
            await connection.script_flush()
            assert (await bucket.decide("a")).remaining == 1
            assert bucket.fallbacks == 0

    asyncio.run(main())


def test_two_processes_share_entries_and_invalidations(redis_url: str) -> None:
    """An entry computed before an invalidation and written after it is dead on arrival."""

    async def main() -> None:
        name = prefix()
        async with client(redis_url) as connection:
            first = Cache(tier=RedisTier(connection, prefix=name))
            other = Cache(tier=RedisTier(connection, prefix=name))
            key = TEXT.key(1)
            assert await first.get_or_compute(TEXT, key, lambda: "old", tags=("model-1",)) == "old"
            await first.drain()
            assert await other.get_or_compute(TEXT, key, lambda: "?", tags=("model-1",)) == "old"

            gate = asyncio.Event()

            async def slow() -> str:
                await gate.wait()
                return "late"

            late = asyncio.create_task(first.get_or_compute(TEXT, TEXT.key(2), slow, tags=("model-1",)))
            await asyncio.sleep(0.02)
            await other.invalidate("model-1")
            gate.set()
            assert await late == "late"
            await first.drain()
            third = Cache(tier=RedisTier(connection, prefix=name))
            for n in (1, 2):
                fresh = await third.get_or_compute(TEXT, TEXT.key(n), lambda: "new", tags=("model-1",))
                assert fresh == "new"
            await third.drain()
            await third.clear()
            fourth = Cache(tier=RedisTier(connection, prefix=name))
            assert await fourth.get_or_compute(TEXT, key, lambda: "4", tags=("model-1",)) == "4"

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["kill", "stop", "full"])
def test_a_dead_hung_or_full_redis_is_a_miss(redis_server: Callable[..., RedisServer], fault: str) -> None:
    """Answers keep coming, the breaker opens, and the errors are counted."""
    server = redis_server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")

    async def main() -> None:
        async with client(server.url) as connection:
            tier = RedisTier(connection)
            store = Cache(tier=tier)
            assert await store.get_or_compute(TEXT, TEXT.key(0), lambda: "a") == "a"
            await store.drain()
            if fault == "full":
                await connection.config_set("maxmemory", 1)
            else:
                getattr(server, fault)()
            start = perf_counter()
            for n in range(1, 20):
                assert await store.get_or_compute(TEXT, TEXT.key(n), lambda: "a") == "a"
            await store.drain()
            assert perf_counter() - start < 5.0
            assert store.stats()[0].errors > 0
            if fault != "full":
                with pytest.raises(UnavailableError):
                    await tier.clear()

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["slow", "cut"])
def test_a_redis_that_is_slow_or_dies_mid_reply_is_a_miss_and_a_local_bucket(
    redis_server: Callable[..., RedisServer], fault: str
) -> None:
    """Answers slower than the time-out of 50 ms, or cut in two.

    Nothing waits longer, nothing half-read is believed.
    """
    server = redis_server()

    async def main() -> None:
        async with client(proxy.url) as connection:
            store, bucket = Cache(tier=RedisTier(connection)), RedisBucket(connection, Rate(3, 3600))
            await bucket.take("before")
            proxy.delay, proxy.cut = (0.2, False) if fault == "slow" else (0.0, True)
            start = perf_counter()
            for n in range(12):
                assert await store.get_or_compute(TEXT, TEXT.key(n), lambda: "a") == "a"
            decisions = [await bucket.decide("client") for _ in range(10)]
            await store.drain()
            assert perf_counter() - start < 5.0
            assert sum(decision.allowed for decision in decisions) == 3
            assert store.stats()[0].errors > 0
            assert bucket.fallbacks == 10

    with SlowProxy(server.url) as proxy:
        asyncio.run(main())


def test_what_another_program_wrote_there_is_a_miss(redis_url: str) -> None:
    """Neither a wrong type nor wrong bytes are believed."""

    async def main() -> None:
        name = prefix()
        async with client(redis_url) as connection:
            tier = RedisTier(connection, prefix=name)
            store = Cache(tier=tier)
            key = TEXT.key(1)
            await connection.set(f"{name}:cache:1:e:".encode() + key, b"nonsense")
            assert await store.get_or_compute(TEXT, key, lambda: "a") == "a"
            await store.drain()
            await connection.delete(f"{name}:cache:1:e:".encode() + key)
            await connection.lpush(f"{name}:cache:1:e:".encode() + key, "x")
            assert (await tier.get(key, ())).entry is None

    asyncio.run(main())


def test_a_wrong_address_is_named_without_its_password() -> None:
    """The message must be safe to print."""
    with pytest.raises(SettingsError, match="REDIS_URL") as caught:
        connect("http://user:secret@localhost")
    assert "secret" not in str(caught.value)


def test_a_server_that_was_never_there_is_a_store_error() -> None:
    """Within the time-outs."""

    async def main() -> None:
        async with client("redis://127.0.0.1:1/0") as connection:
            with pytest.raises(StoreError):
                await RedisTier(connection).delete(bytes(32))

    asyncio.run(main())


@pytest.mark.parametrize("jump", [-1e9, -3_600.0, -1.0, 1.0, 3_600.0, 1e9])
def test_an_entry_in_redis_ends_by_the_servers_clock_whatever_ours_says(jump: float, redis_url: str) -> None:
    """A reader whose clock is ahead finds it too old.

    One whose clock is behind takes it for no longer than Redis has it.
    """

    async def scenario() -> None:
        async with client(redis_url, socket_seconds=5.0) as connection:
            name, wall = prefix(), FakeClock(2e9)
            tier = RedisTier(connection, prefix=name, wall=wall)
            ticket = (await tier.get(b"k", ("t",))).ticket
            await tier.put(b"k", ("t",), b"entry", 60.0, ticket)
            wall.advance(jump)
            answer = await tier.get(b"k", ("t",))
            assert (answer.entry is not None and answer.remaining > 0.0) == (-LONGEST < jump < 60.0)
            assert await connection.pttl(f"{name}:cache:1:e:k") <= 60_000

    asyncio.run(scenario())
