"""``@cache.memoize`` and ``@bucket.limit`` protect functions of one's own."""

from __future__ import annotations

import asyncio

import pytest

from crisol.backends.redis import RedisBucket, connect
from crisol.errors import InputError, RateLimited, SettingsError
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock


def test_concurrent_callers_compute_once_however_they_pass_the_arguments() -> None:
    computed = []

    @Cache().memoize(ttl=60.0)
    async def score(diff: str, cwe: str = "CWE-79") -> float:
        computed.append((diff, cwe))
        await asyncio.sleep(0)
        return 0.5

    async def callers() -> list[float]:
        calls = [score("a"), score("a", "CWE-79"), score(diff="a", cwe="CWE-79"), score("b")]
        return await asyncio.gather(*calls)

    assert asyncio.run(callers()) == [0.5] * 4
    assert sorted(computed) == [("a", "CWE-79"), ("b", "CWE-79")]


def test_an_entry_ends_with_its_lifetime() -> None:
    clock, computed = FakeClock(), []

    @Cache(clock=clock, jitter=0.0).memoize(ttl=10.0)
    async def now() -> int:
        computed.append(clock())
        return len(computed)

    async def calls() -> list[int]:
        values = [await now(), await now()]
        clock.advance(11.0)
        return [*values, await now()]

    assert asyncio.run(calls()) == [1, 1, 2]


def test_functions_that_cannot_be_memoized_are_refused_when_they_are_decorated() -> None:
    memoize = Cache().memoize(ttl=1.0)
    with pytest.raises(SettingsError, match="annotate the type"):

        @memoize
        async def silent(diff: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - that is what is refused
            return diff

    with pytest.raises(SettingsError, match="async def"):

        @memoize  # type: ignore[arg-type]  # that is what is refused
        def plain(diff: str) -> str:
            return diff


def test_an_argument_without_a_canonical_form_is_named() -> None:
    @Cache().memoize(ttl=1.0)
    async def size(value: object) -> int:
        return len(str(value))

    with pytest.raises(InputError, match="object has no canonical form"):
        asyncio.run(size(object()))


def test_a_call_without_a_token_is_refused_and_says_when_to_come_back() -> None:
    clock = FakeClock()

    @TokenBucket(Rate(2, 60), clock=clock).limit(key=lambda client: client)
    async def ask(client: str) -> str:
        return client

    async def calls() -> None:
        assert await ask("ann") == await ask("ann") == "ann"
        assert await ask("bob") == "bob"
        with pytest.raises(RateLimited) as refusal:
            await ask("ann")
        assert refusal.value.retry_after == pytest.approx(30.0, abs=0.01)
        clock.advance(30.0)
        assert await ask("ann") == "ann"

    asyncio.run(calls())


@pytest.mark.integration
def test_a_bucket_in_redis_limits_by_the_same_decorator(redis_url: str) -> None:
    async def calls() -> None:
        client = connect(redis_url)

        @RedisBucket(client, Rate(1, 60), prefix="decorators").limit(key=str)
        async def ask(number: int) -> int:
            return number

        assert await ask(1) == 1
        with pytest.raises(RateLimited, match="ask is called too often"):
            await ask(1)
        await client.aclose()

    asyncio.run(calls())
