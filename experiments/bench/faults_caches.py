"""What caches get wrong: each fault is provoked in Crisol's and in every library at hand.

    python experiments/bench/faults_caches.py

Prints one Markdown table; ``ok`` means that the fault could not be provoked, ``-`` that the library has no
such part. Redis is the one of ``TEST_REDIS_URL``, or one that the script starts as the tests do. Libraries
that are not installed (they come with the extra ``dev``) are left out and named. What is planted in Redis to
see whether it is executed only adds a word to a list of this process.
"""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from peers import RedisOnLoan, lend_redis, library, missing, print_table

from crisol.backends.redis import RedisTier, connect
from crisol.resilience.cache import Cache
from crisol.resilience.kinds import Kind

TEXT: Kind[str] = Kind("text", str, ttl=60.0)
CALLERS = 10

Compute = Callable[[], Awaitable[str]]
Ask = Callable[[Compute, tuple[Any, ...]], Awaitable[str | None]]
"""Answers from the cache under those arguments, else computes."""


class Subject:
    """A cache under test: how it answers, stores for a time, and forgets everything."""

    def __init__(
        self,
        ask: Ask,
        clear: Callable[[], Awaitable[object]],
        kept_with_ttl_0: Callable[[], Awaitable[bool]],
    ) -> None:
        self.ask = ask
        self.clear = clear
        self.kept_with_ttl_0 = kept_with_ttl_0


def ours() -> Subject:
    """Return Crisol's."""
    cache = Cache()

    async def ask(compute: Compute, arguments: tuple[Any, ...]) -> str | None:
        return await cache.get_or_compute(TEXT, TEXT.key(*arguments), compute)

    async def kept() -> bool:
        key = TEXT.key("short")
        await cache.get_or_compute(TEXT, key, lambda: "a", ttl=0.0)
        await asyncio.sleep(0.05)
        return cache.get(TEXT, key) is not None

    return Subject(ask, cache.clear, kept)


def of_cashews(cashews: Any) -> Subject:
    """Return cashews', in memory, with its protection from stampedes."""
    cache = cashews.Cache()
    cache.setup("mem://")
    computing: dict[str, Compute] = {}

    @cache(ttl=60, protected=True)
    async def answer(a: Any, b: Any = "") -> str:
        del a, b
        return await computing["now"]()

    async def ask(compute: Compute, arguments: tuple[Any, ...]) -> str | None:
        computing["now"] = compute
        value: str | None = await answer(*arguments)
        return value

    async def kept() -> bool:
        await cache.set("short", "a", expire=0)
        await asyncio.sleep(0.05)
        return await cache.get("short") is not None

    return Subject(ask, cache.clear, kept)


def of_aiocache(aiocache: Any) -> Subject:
    """Return aiocache's, in memory, with its protection from stampedes."""
    memory = aiocache.SimpleMemoryCache()
    computing: dict[str, Compute] = {}

    @aiocache.cached_stampede(lease=2, ttl=60, namespace=uuid.uuid4().hex)
    async def answer(a: Any, b: Any = "") -> str:
        del a, b
        return await computing["now"]()

    async def ask(compute: Compute, arguments: tuple[Any, ...]) -> str | None:
        computing["now"] = compute
        value: str | None = await answer(*arguments)
        return value

    async def kept() -> bool:
        await memory.set("short", "a", ttl=0)
        await asyncio.sleep(0.05)
        return await memory.get("short") is not None

    return Subject(ask, answer.cache.clear, kept)


async def leader(make: Callable[[], Subject]) -> str:
    """Do those who wait get their answer when the one who asked first gives up?"""
    subject = make()

    async def slow() -> str:
        await asyncio.sleep(0.1)
        return "a"

    tasks = [asyncio.ensure_future(subject.ask(slow, ("x",))) for _ in range(CALLERS)]
    await asyncio.sleep(0.02)
    tasks[0].cancel()
    values = await asyncio.gather(*tasks, return_exceptions=True)
    lost = sum(value != "a" for value in values[1:])
    return "ok" if not lost else f"**{lost} of {CALLERS - 1} others lost**"


async def collisions(make: Callable[[], Subject]) -> str:
    """Are arguments told apart that only look alike when they are glued together?"""
    pairs = [
        (("1:b:2", "3"), ("1", "2:b:3")),
        ((1,), ("1",)),
        ((1,), (True,)),
        ((None,), ("None",)),
        (("",), (None,)),
    ]
    wrong = []
    for first, second in pairs:
        subject = make()
        await subject.ask(lambda: _value("first"), first)
        if await subject.ask(lambda: _value("second"), second) == "first":
            wrong.append(f"`{first}` = `{second}`")
    return "ok" if not wrong else f"**{'; '.join(wrong)}**"


async def _value(text: str) -> str:
    return text


async def forever(make: Callable[[], Subject]) -> str:
    """Is an entry whose life is 0 kept?"""
    return "**kept for ever**" if await make().kept_with_ttl_0() else "ok"


async def cleared(make: Callable[[], Subject]) -> str:
    """Is what was being computed when everything was forgotten served afterwards?"""
    subject, gate = make(), asyncio.Event()

    async def old() -> str:
        await gate.wait()
        return "old"

    task = asyncio.ensure_future(subject.ask(old, ("x",)))
    await asyncio.sleep(0.01)
    await subject.clear()
    gate.set()
    with suppress(Exception):
        await task
    after = await subject.ask(lambda: _value("new"), ("x",))
    return "ok" if after == "new" else "**the old answer is back**"


executed: list[str] = []


class Planted:
    """What an attacker who can write to Redis leaves there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return executed.append, ("code of the payload",)


async def planted_in_ours(loan: RedisOnLoan) -> str:
    """Plant a pickle under a key of Crisol's and ask for the key."""
    client, prefix = connect(loan.url, socket_seconds=5.0), uuid.uuid4().hex
    cache, key = Cache(tier=RedisTier(client, prefix=prefix)), TEXT.key("x")
    await client.set(f"{prefix}:cache:1:e:".encode() + key, pickle.dumps(Planted()))
    value = await cache.get_or_compute(TEXT, key, lambda: "computed")
    await cache.drain()
    await client.aclose()
    return _verdict(answered=value == "computed")


async def planted_in_cashews(cashews: Any, loan: RedisOnLoan) -> str:
    """Plant one under a key of cashews'."""
    cache, key = cashews.Cache(), uuid.uuid4().hex
    cache.setup(loan.url)
    loan.write(key.encode(), pickle.dumps(Planted()))
    with suppress(Exception):
        await cache.get(key)
    await cache.close()
    return _verdict(answered=True)


def _verdict(*, answered: bool) -> str:
    ran, executed[:] = bool(executed), []
    return "**runs what it reads**" if ran else "ok" if answered else "**no answer**"


def main() -> None:
    """Print the table."""
    cashews, aiocache = library("cashews"), library("aiocache")
    makers: dict[str, Callable[[], Subject]] = {"crisol": ours}
    if cashews is not None:
        makers["cashews"] = lambda: of_cashews(cashews)
    if aiocache is not None:
        makers["aiocache"] = lambda: of_aiocache(aiocache)
    faults = {
        "cancelling the first caller fails the others": leader,
        "different arguments share a key": collisions,
        "a life of 0 means for ever": forever,
        "what is forgotten while it is computed comes back": cleared,
    }
    rows = {
        fault: [asyncio.run(provoke(make)) for make in makers.values()] for fault, provoke in faults.items()
    }
    with lend_redis() as loan:
        cells = [asyncio.run(planted_in_ours(loan))]
        if cashews is not None:
            cells.append(asyncio.run(planted_in_cashews(cashews, loan)))
    rows["a payload planted in Redis is executed"] = cells + ["-"] * (len(makers) - len(cells))
    print_table("Caches", list(makers), rows)
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
