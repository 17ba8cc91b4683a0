"""The shadow queue: bounded, never in the caller's way, and unharmed by a wargame that fails."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from crisol.abtest.shadow import ShadowQueue, ShadowStats
from crisol.errors import SandboxError, SettingsError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Wargames:
    """Wargames that end when the test says so; it sees how many run at once, and what was recorded."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.started: list[int] = []
        self.running = self.most = 0
        self.recorded: list[tuple[int, str]] = []

    async def play(self, job: int) -> str:
        """Judge once the gate is open; negative jobs fail."""
        self.started.append(job)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            if job < 0:
                raise SandboxError(f"job {job}")
            return f"verdict {job}"
        finally:
            self.running -= 1

    async def record(self, job: int, verdict: str) -> None:
        """Keep what came of a job."""
        self.recorded.append((job, verdict))

    def queue(self, **options: float) -> ShadowQueue[int, str]:
        """Return a queue before these wargames."""
        return ShadowQueue(self.play, self.record, **options)  # type: ignore[arg-type] - ints and floats as given


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20.0))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_concurrency_and_length_are_bounded_and_offering_never_waits() -> None:
    async def test() -> None:
        games = Wargames()
        async with games.queue(concurrency=2, limit=5) as shadow:
            await settle()
            taken = [shadow.offer(job) for job in range(5)]
            await settle()
            taken += [shadow.offer(job) for job in range(5, 12)]
            assert taken == [True] * 7 + [False] * 5
            assert shadow.stats == ShadowStats(queued=5, running=2, done=0, failed=0, dropped=5)
            games.gate.set()
        assert games.most == 2
        assert sorted(games.recorded) == [(job, f"verdict {job}") for job in range(7)]
        assert shadow.stats == ShadowStats(queued=0, running=0, done=7, failed=0, dropped=5)

    run(test())


def test_blocking_returns_the_verdict_and_records_it_too() -> None:
    async def test() -> None:
        games = Wargames()
        games.gate.set()
        async with games.queue() as shadow:
            assert await shadow.verdict(3) == "verdict 3"
        assert games.recorded == [(3, "verdict 3")]

    run(test())


def test_a_failing_wargame_is_counted_and_the_next_one_runs() -> None:
    async def test() -> None:
        games = Wargames()
        games.gate.set()
        async with games.queue(concurrency=1) as shadow:
            shadow.offer(-1)
            with pytest.raises(SandboxError, match="job -2"):
                await shadow.verdict(-2)
            assert await shadow.verdict(3) == "verdict 3"
        assert (shadow.stats.done, shadow.stats.failed) == (1, 2)
        assert games.recorded == [(3, "verdict 3")]

    run(test())


def test_a_record_that_fails_does_not_take_the_verdict_away() -> None:
    async def test() -> None:
        games = Wargames()
        games.gate.set()

        async def full(_job: int, _verdict: str) -> None:
            raise OSError("disk full")

        async with ShadowQueue(games.play, full) as shadow:
            assert await shadow.verdict(1) == "verdict 1"
        assert shadow.stats.failed == 1

    run(test())


def test_a_caller_who_gives_up_leaves_the_trial_behind() -> None:
    async def test() -> None:
        games = Wargames()
        async with games.queue() as shadow:
            waiting = asyncio.create_task(shadow.verdict(4))
            await settle()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            games.gate.set()
        assert games.recorded == [(4, "verdict 4")]

    run(test())


def test_a_full_or_closed_queue_refuses_blocking_callers_at_once() -> None:
    async def test() -> None:
        games = Wargames()
        async with games.queue(concurrency=1, limit=1) as shadow:
            await settle()
            shadow.offer(1)
            await settle()
            shadow.offer(2)
            with pytest.raises(UnavailableError, match="full"):
                await shadow.verdict(3)
            games.gate.set()
        with pytest.raises(UnavailableError):
            await shadow.verdict(5)
        assert not shadow.offer(6)

    run(test())


def test_closing_drops_what_outlasts_the_grace_and_tells_who_waits() -> None:
    async def test() -> None:
        games = Wargames()
        async with games.queue(concurrency=1, grace=0.01) as shadow:
            waiting = [asyncio.create_task(shadow.verdict(job)) for job in (1, 2)]
            await settle()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [UnavailableError, UnavailableError]
        assert games.recorded == []

    run(test())
    # An exception that nobody fetched would be reported when its future is collected.
    gc.collect()


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"limit": 0}])
def test_a_queue_without_room_is_refused(options: dict[str, int]) -> None:
    async def test() -> None:
        with pytest.raises(SettingsError):
            Wargames().queue(**options)

    run(test())
