"""The cache: one computation for any number of callers, no answer that is stale, foreign or damaged."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crisol.errors import InputError, IntegrityError, SettingsError, StoreError, UnavailableError
from crisol.records import Prediction
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.resilience.codec import HEADER, Codec
from crisol.resilience.keys import canonical, digest
from crisol.resilience.kinds import PREDICTION, Kind
from crisol.resilience.lru import OVERHEAD
from crisol.resilience.tier import TierEntry

T = TypeVar("T")
TEXT: Kind[str] = Kind("text", str, ttl=100.0)
TABLE: Kind[dict[str, int]] = Kind("table", dict[str, int], ttl=100.0)


class Tier:
    """A shared tier in this process that can be away; its stamps work as the real one's do."""

    def __init__(self) -> None:
        self.entries: dict[bytes, tuple[bytes, bytes, float]] = {}
        self.stamps: dict[str, int] = {}
        self.away = False

    def _ticket(self, tags: tuple[str, ...]) -> bytes:
        if self.away:
            raise StoreError("away")
        return repr([(tag, self.stamps.get(tag, 0)) for tag in ("*", *tags)]).encode()

    async def get(self, key: bytes, tags: tuple[str, ...]) -> TierEntry:
        await asyncio.sleep(0)
        ticket = self._ticket(tags)
        entry, stamp, ttl = self.entries.get(key, (b"", b"", 0.0))
        return TierEntry(entry, ttl, ticket) if stamp == ticket else TierEntry(None, 0.0, ticket)

    async def put(self, key: bytes, tags: tuple[str, ...], entry: bytes, ttl: float, ticket: bytes) -> None:
        await asyncio.sleep(0)
        self._ticket(tags)
        self.entries[key] = (entry, ticket, ttl)

    async def delete(self, key: bytes) -> None:
        self._ticket(())
        self.entries.pop(key, None)

    async def invalidate(self, tag: str) -> None:
        self._ticket(())
        self.stamps[tag] = self.stamps.get(tag, 0) + 1

    async def clear(self) -> None:
        await self.invalidate("*")


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def cache(clock: FakeClock | None = None, **options: Any) -> Cache:
    return Cache(clock=clock or FakeClock(), rng=lambda: 0.0, **options)


def counted(results: list[Any]) -> tuple[Callable[[], Any], list[int]]:
    """Return a function that gives one result after the other, and the list of its calls."""
    calls: list[int] = []

    def produce() -> Any:
        calls.append(len(calls))
        return results[min(len(calls) - 1, len(results) - 1)]

    return produce, calls


@pytest.mark.parametrize("kind", [TEXT, TABLE])
def test_what_was_computed_is_answered_until_its_life_ends(kind: Kind[Any]) -> None:
    """At the end of its life, to the moment, it is computed anew; a clock set back lengthens no life."""
    value: Any = "a" if kind is TEXT else {"a": 1}
    clock, key = FakeClock(), kind.key(1)
    store = cache(clock, early=1.0)
    produce, calls = counted([value])

    async def main() -> None:
        for advance, expected in ((0.0, 1), (99.9, 1), (-500.0, 1), (500.2, 2)):
            clock.advance(advance)
            assert await store.get_or_compute(kind, key, produce) == value
            assert len(calls) == expected

    run(main())
    assert store.get(kind, key) == value
    assert store.get(kind, kind.key(2)) is None


def test_a_mutable_value_is_each_callers_own() -> None:
    """What one caller does to its copy no other sees."""
    store, key = cache(), TABLE.key(1)

    async def main() -> None:
        first = await store.get_or_compute(TABLE, key, lambda: {"a": 1})
        assert first is not None
        first["a"] = 2
        assert await store.get_or_compute(TABLE, key, dict) == {"a": 1}

    run(main())


def test_a_life_of_nothing_keeps_nothing_and_none_is_kept_briefly() -> None:
    """``ttl=0`` is not "for ever"; "there is none" has a short life of its own."""
    clock = FakeClock()
    store = cache(clock)

    async def main() -> None:
        produce, calls = counted(["a"])
        for _ in range(2):
            await store.get_or_compute(TEXT, TEXT.key(1), produce, ttl=0.0)
        assert len(calls) == 2
        produce, calls = counted([None])
        for advance, expected in ((0.0, 1), (4.0, 1), (1.1, 2)):
            clock.advance(advance)
            assert await store.get_or_compute(TEXT, TEXT.key(2), produce) is None
            assert len(calls) == expected
        with pytest.raises(InputError, match="ttl"):
            await store.get_or_compute(TEXT, TEXT.key(1), produce, ttl=float("nan"))

    run(main())


def test_a_thousand_callers_are_one_computation() -> None:
    """All get the same answer, and one of them is counted as the miss."""

    async def main() -> None:
        store, gate, calls = cache(), asyncio.Event(), 0

        async def produce() -> str:
            nonlocal calls
            calls += 1
            await gate.wait()
            return "a"

        waiting = [asyncio.create_task(store.get_or_compute(TEXT, TEXT.key(1), produce)) for _ in range(1000)]
        await asyncio.sleep(0)
        gate.set()
        assert set(await asyncio.gather(*waiting)) == {"a"}
        assert calls == 1
        assert store.stats()[0].misses == 1

    run(main())


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_cancelling_any_caller_harms_no_other(cancelled: int) -> None:
    """The first one, who started the computation, included; the result is kept even if all are gone."""

    async def main() -> None:
        store, gate = cache(), asyncio.Event()

        async def produce() -> str:
            await gate.wait()
            return "a"

        tasks = [asyncio.create_task(store.get_or_compute(TEXT, TEXT.key(1), produce)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[cancelled].cancel()
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers.pop(cancelled), asyncio.CancelledError)
        assert answers == ["a", "a"]

        lonely = asyncio.create_task(store.get_or_compute(TEXT, TEXT.key(2), produce))
        await asyncio.sleep(0)
        lonely.cancel()
        await store.drain()
        assert store.get(TEXT, TEXT.key(2)) == "a"

    run(main())


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    """The error that all are handed does not grow with their number."""

    async def main() -> None:
        store, depth = cache(), []

        async def broken() -> str:
            await asyncio.sleep(0)
            raise ValueError("no")

        async def ask() -> None:
            try:
                await store.get_or_compute(TEXT, TEXT.key(1), broken)
            except ValueError as error:
                depth.append(len(traceback.extract_tb(error.__traceback__)))

        await asyncio.gather(*(ask() for _ in range(50)))
        assert len(depth) == 50
        assert len(set(depth)) == 1
        assert await store.get_or_compute(TEXT, TEXT.key(1), lambda: "a") == "a"

    run(main())


def test_a_computation_that_cancels_itself_is_an_error_not_a_cancellation() -> None:
    """Its callers were not cancelled, so they must not believe that they were."""

    async def cancelled() -> str:
        raise asyncio.CancelledError

    with pytest.raises(UnavailableError, match="cancelled from inside"):
        run(cache().get_or_compute(TEXT, TEXT.key(1), cancelled))


def test_a_hot_entry_is_renewed_before_it_ends() -> None:
    """Whoever comes late in its life is answered at once, and the new value comes in the background."""
    clock = FakeClock()
    store = cache(clock, early=0.9)
    produce, calls = counted(["old", "new"])

    async def main() -> None:
        assert await store.get_or_compute(TEXT, TEXT.key(1), produce) == "old"
        clock.advance(89.0)
        assert await store.get_or_compute(TEXT, TEXT.key(1), produce) == "old"
        assert len(calls) == 1
        clock.advance(2.0)
        assert await store.get_or_compute(TEXT, TEXT.key(1), produce) == "old"
        await store.drain()
        assert store.get(TEXT, TEXT.key(1)) == "new"
        clock.advance(20.0)
        assert store.get(TEXT, TEXT.key(1)) == "new"

    run(main())
    assert store.stats()[0].refreshes == 1


def test_lives_are_cut_by_jitter() -> None:
    """What was filled together does not end together."""
    clock = FakeClock()
    store = Cache(clock=clock, rng=lambda: 1.0, jitter=0.2, early=1.0)

    async def main() -> None:
        await store.get_or_compute(TEXT, TEXT.key(1), lambda: "a")
        clock.advance(79.9)
        assert store.get(TEXT, TEXT.key(1)) == "a"
        clock.advance(0.2)
        assert store.get(TEXT, TEXT.key(1)) is None

    run(main())


@pytest.mark.parametrize("tier", [False, True])
def test_what_is_invalidated_while_it_is_computed_is_never_served(tier: bool) -> None:
    """Here, or by another process over the same tier; those who waited for it are answered all the same."""
    shared = Tier() if tier else None

    async def main() -> None:
        store, gate = cache(tier=shared), asyncio.Event()

        async def produce() -> str:
            await gate.wait()
            return "old"

        asked = asyncio.create_task(store.get_or_compute(TEXT, TEXT.key(1), produce, tags=("model-1",)))
        for _ in range(3):
            await asyncio.sleep(0)
        await store.invalidate("model-1")
        gate.set()
        assert await asked == "old"
        await store.drain()
        assert store.get(TEXT, TEXT.key(1)) is None
        other = cache(tier=shared)
        assert await other.get_or_compute(TEXT, TEXT.key(1), lambda: "new", tags=("model-1",)) == "new"

    run(main())


def test_tags_keys_and_everything_can_be_forgotten() -> None:
    """A tag takes its entries and no others."""
    store = cache()

    async def main() -> None:
        for n in range(4):
            await store.get_or_compute(TEXT, TEXT.key(n), lambda: "a", tags=(f"t{n % 2}", "all"))
        assert await store.invalidate("t0") == 2
        assert [n for n in range(4) if store.get(TEXT, TEXT.key(n))] == [1, 3]
        assert await store.delete(TEXT.key(1))
        assert not await store.delete(TEXT.key(1))
        assert await store.clear() == 1

    run(main())
    assert (len(store), store.weight) == (0, 0)


def test_bytes_are_bounded_and_the_least_used_goes_first() -> None:
    """One that alone exceeds the budget is computed, and not kept."""
    room = 3 * (OVERHEAD + HEADER + 103)
    store = cache(budget=room)

    async def main() -> None:
        for n in range(3):
            await store.get_or_compute(TEXT, TEXT.key(n), lambda: "x" * 100)
        assert store.get(TEXT, TEXT.key(0)) is not None
        await store.get_or_compute(TEXT, TEXT.key(3), lambda: "x" * 100)
        assert [n for n in range(4) if store.get(TEXT, TEXT.key(n))] == [0, 2, 3]
        assert await store.get_or_compute(TEXT, TEXT.key(4), lambda: "x" * room) == "x" * room
        assert store.get(TEXT, TEXT.key(4)) is None

    run(main())
    assert store.weight <= room
    assert store.stats()[0].evictions == 1


def test_another_process_answers_from_the_shared_tier() -> None:
    """It computes nothing, and its copy ends no later than the original."""
    shared, clock = Tier(), FakeClock()

    async def main() -> None:
        first, second = cache(tier=shared), cache(clock, tier=shared, early=1.0)
        await first.get_or_compute(TEXT, TEXT.key(1), lambda: "a")
        await first.drain()
        produce, calls = counted(["b"])
        assert await second.get_or_compute(TEXT, TEXT.key(1), produce) == "a"
        assert calls == []
        assert second.stats()[0].shared_hits == 1
        clock.advance(60.1)
        assert second.get(TEXT, TEXT.key(1)) is None

    run(main())


def test_a_tier_that_is_away_is_a_miss_and_is_counted() -> None:
    """The answer comes; who invalidates is told that the others were not."""
    shared = Tier()
    shared.away = True
    store = cache(tier=shared)

    async def main() -> None:
        assert await store.get_or_compute(TEXT, TEXT.key(1), lambda: "a") == "a"
        assert store.get(TEXT, TEXT.key(1)) == "a"
        with pytest.raises(UnavailableError):
            await store.clear()

    run(main())
    assert len(store) == 0
    assert store.stats()[0].errors == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "other key", "foreign", "empty"])
def test_an_entry_that_does_not_decode_is_a_miss_deleted_and_counted(damage: str) -> None:
    """Whatever stands in the tier."""
    shared, key = Tier(), TEXT.key(1)

    async def main() -> None:
        await cache(tier=shared).get_or_compute(TEXT, key, lambda: "a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raw, stamp, ttl = shared.entries[key]
        shared.entries[key] = (
            {
                "flip": raw[:-1] + bytes([raw[-1] ^ 1]),
                "cut": raw[:-1],
                "other key": TEXT.codec.encode(TEXT.key(2), "b"),
                "foreign": PREDICTION.codec.encode(key, Prediction(0.5, "m", "f")),
                "empty": b"",
            }[damage],
            stamp,
            ttl,
        )
        store = cache(tier=shared)
        assert await store.get_or_compute(TEXT, key, lambda: "new") == "new"
        await store.drain()
        assert store.stats()[0].corrupt == 1
        assert TEXT.codec.decode(key, shared.entries[key][0]) == "new"

    run(main())


def test_a_new_model_is_never_answered_by_an_old_entry() -> None:
    """Its version is part of the key."""
    keys = {PREDICTION.key("diff", "v", version) for version in ("model-1", "model-2")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda s: s.get_or_compute(TEXT, b"short", lambda: "a"), "32 bytes"),
        (lambda s: s.get_or_compute(TEXT, TEXT.key(1), lambda: 1), "does not fit"),
        (lambda s: s.get_or_compute(TEXT, TEXT.key(1), lambda: "a", -1.0), "ttl"),
    ],
)
def test_what_does_not_fit_is_refused(give: Callable[[Cache], Awaitable[Any]], message: str) -> None:
    """By name, and nothing is kept."""
    store = cache()

    async def main() -> None:
        with pytest.raises(InputError, match=message):
            await give(store)

    run(main())
    assert len(store) == 0


def test_kinds_and_options_out_of_range_are_refused() -> None:
    """A kind without a lifetime, a record that nothing can describe, a negative budget."""
    with pytest.raises(SettingsError, match="no ttl"):
        Kind("other", str)
    with pytest.raises(SettingsError, match="cannot be cached"):
        Kind("text", object, ttl=1.0)  # type: ignore[abstract] # the point of the test
    with pytest.raises(SettingsError, match="budget"):
        Cache(budget=-1)
    store = cache()
    run(store.get_or_compute(TEXT, TEXT.key(1), lambda: "a"))
    with pytest.raises(InputError, match="another record type"):
        run(store.get_or_compute(Kind("text", int, ttl=1.0), TEXT.key(3), lambda: 1))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def typed(value: object) -> object:
    """Return what tells values apart that Python calls equal."""
    if isinstance(value, list | tuple):
        return "list", tuple(typed(item) for item in value)
    if isinstance(value, dict):
        return "map", frozenset((typed(k), typed(v)) for k, v in value.items())
    return type(value).__name__, (value.hex() if isinstance(value, float) and value else value)


@given(VALUES, VALUES)
def test_keys_are_equal_exactly_where_the_values_are(left: object, right: object) -> None:
    """With their types: 1, True, 1.0 and "1" are four keys."""
    assert (canonical(left) == canonical(right)) == (typed(left) == typed(right))


def test_keys_tell_what_is_often_confused_apart() -> None:
    """Joined strings collide; these do not."""
    parts: list[tuple[object, ...]] = [
        ("1:b:2", "3"), ("1", "2:b:3"), (1,), ("1",), (True,), (None,), ("",), (), (1.0,), ([1],), ((1, 2),),
         (1, 2),
        ({"a": 1},), ({"a": "1"},), ({1},), (b"1",),
    ]  # fmt: skip
    assert len({digest(*part) for part in parts}) == len(parts)
    for wrong in (float("nan"), object()):
        with pytest.raises(InputError):
            digest(wrong)


@given(st.binary(max_size=64), st.binary(min_size=32, max_size=32))
def test_bytes_of_nobody_never_decode(entry: bytes, key: bytes) -> None:
    """Random content is refused by its checksum, with no other error."""
    with pytest.raises(IntegrityError):
        TEXT.codec.decode(key, entry)


def test_another_shape_of_the_record_does_not_read_the_old_entries() -> None:
    """The stamp comes from the record's type."""

    class Old(msgspec.Struct, frozen=True):
        a: int

    class New(msgspec.Struct, frozen=True):
        a: int
        b: int = 0

    entry = Codec(Old).encode(bytes(32), Old(1))
    with pytest.raises(IntegrityError):
        Codec(New).decode(bytes(32), entry)
    with pytest.raises(IntegrityError):
        Codec(Old, version=2).decode(bytes(32), entry)


class AgainstADictionary(RuleBasedStateMachine):
    """Whatever is done in whatever order, the cache never says what a dictionary with lifetimes would not."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.cache = Cache(clock=self.clock, rng=lambda: 0.0, early=1.0, budget=6 * (OVERHEAD + 40))
        self.model: dict[int, tuple[str, float]] = {}
        self.latest = self.clock.now
        self.count = 0

    @rule(n=st.integers(0, 9), ttl=st.sampled_from([0.0, 1.0, 10.0]))
    def ask(self, n: int, ttl: float) -> None:
        self.count += 1
        fresh = str(self.count)
        given_back = run(self.cache.get_or_compute(TEXT, TEXT.key(n), lambda: fresh, ttl, (f"t{n % 3}",)))
        value, expires = self.model.get(n, ("", 0.0))
        if given_back == fresh:
            self.model[n] = (fresh, self.latest + ttl)
        else:
            assert given_back == value
            assert self.latest < expires

    @rule(seconds=st.sampled_from([-5.0, 0.5, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.latest = max(self.latest, self.clock.now)

    @rule(tag=st.integers(0, 2))
    def invalidate(self, tag: int) -> None:
        run(self.cache.invalidate(f"t{tag}"))
        self.model = {n: kept for n, kept in self.model.items() if n % 3 != tag}

    @precondition(lambda self: self.model)
    @rule()
    def clear(self) -> None:
        run(self.cache.clear())
        self.model.clear()

    @invariant()
    def nothing_is_invented(self) -> None:
        for n in range(10):
            value = self.cache.get(TEXT, TEXT.key(n))
            if value is not None:
                assert value == self.model[n][0]
                assert self.latest < self.model[n][1]
        assert self.cache.weight <= 6 * (OVERHEAD + 40)


AgainstADictionary.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAgainstADictionary = AgainstADictionary.TestCase


def test_a_computation_that_waits_for_itself_raises() -> None:
    """Directly, or through one that somebody else began: otherwise all of them would wait for ever."""
    kind = Kind("number", int, ttl=60.0)
    here = cache()
    first, second = kind.key("first"), kind.key("second")

    async def direct() -> int | None:
        return await here.get_or_compute(kind, first, direct)

    async def main() -> None:
        with pytest.raises(InputError, match="computed from itself"):
            await asyncio.wait_for(here.get_or_compute(kind, first, direct), 5.0)
        begun = asyncio.Event()

        async def one() -> int | None:
            await begun.wait()
            return await here.get_or_compute(kind, second, lambda: 2)

        async def two() -> int | None:
            begun.set()
            return await here.get_or_compute(kind, first, lambda: 1)

        both = asyncio.gather(
            here.get_or_compute(kind, first, one),
            here.get_or_compute(kind, second, two),
            return_exceptions=True,
        )
        ends = await asyncio.wait_for(both, 5.0)
        assert any(isinstance(end, InputError) for end in ends)

    run(main())


def test_a_value_that_no_entry_can_hold_is_refused() -> None:
    kind = Kind("number", int, ttl=60.0)
    with pytest.raises(InputError, match="int"):
        run(cache().get_or_compute(kind, kind.key(1), lambda: 2**70))


@pytest.mark.parametrize("type_", [dict[int, str], list[dict[bytes, int]], tuple[dict[tuple[str], int], ...]])
def test_a_kind_that_could_never_be_stored_is_refused_when_it_is_made(type_: Any) -> None:
    with pytest.raises(SettingsError, match="keys of a mapping must be text"):
        Kind("k", type_, ttl=60.0)
