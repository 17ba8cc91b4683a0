"""The line for the seats, with nobody but itself."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from crisol.errors import Overloaded
from crisol.validation.line import Line


async def moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def wait(line: Line, stack: ExitStack, key: bytes, client: str) -> asyncio.Task[None]:
    """Take a place in line for a caller who stays."""
    stack.enter_context(line.attended(key))
    return asyncio.create_task(line.enter(key, client, 1.0))


def test_a_client_alone_gets_half_of_the_line_and_the_next_one_still_finds_room() -> None:
    async def scenario() -> None:
        line = Line(1, 8)
        with ExitStack() as stack:
            greedy = [wait(line, stack, b"%d" % number, "greedy") for number in range(9)]
            await moment()
            assert [task.done() for task in greedy] == [True, *[False] * 4, *[True] * 4]
            with pytest.raises(Overloaded, match="left for others") as away:
                await greedy[-1]
            assert away.value.retry_after == 1.0
            other = [wait(line, stack, b"o%d" % number, "other") for number in range(9)]
            await moment()
            assert line.waiting == 6
            for task in (*greedy, *other):
                task.cancel()
            await asyncio.wait((*greedy, *other))
            assert line.waiting == 0

    asyncio.run(scenario())


def test_a_free_seat_goes_to_the_client_that_has_the_fewest_and_then_to_the_first() -> None:
    async def scenario() -> None:
        line = Line(2, 8)
        order: list[str] = []
        with ExitStack() as stack:
            for number, client in enumerate(("a", "a", "a", "a", "b", "c")):
                task = wait(line, stack, b"%d" % number, client)
                task.add_done_callback(lambda _, name=f"{client}{number}": order.append(name))
            await moment()
            assert order == ["a0", "a1"]
            for client in ("a", "a", "b", "a"):
                line.leave(client)
                await moment()
            assert order == ["a0", "a1", "b4", "a2", "c5", "a3"]

    asyncio.run(scenario())


def test_a_full_line_is_full_for_everybody() -> None:
    async def scenario() -> None:
        line = Line(1, 2)
        with ExitStack() as stack:
            tasks = [wait(line, stack, client.encode(), client) for client in "abcd"]
            await moment()
            with pytest.raises(Overloaded, match="2 wargames are waiting already"):
                await tasks[3]
            for task in tasks[1:3]:
                task.cancel()
            await asyncio.wait(tasks)

    asyncio.run(scenario())


def test_a_seat_that_was_given_to_somebody_who_is_cancelled_goes_on() -> None:
    async def scenario() -> None:
        line = Line(1, 4)
        with ExitStack() as stack:
            tasks = [wait(line, stack, b"%d" % number, "a") for number in range(3)]
            await moment()
            line.leave("a")
            tasks[1].cancel()
            await moment()
            assert tasks[1].cancelled()
            assert (tasks[2].done(), line.waiting) == (True, 0)
            line.leave("a")
            await asyncio.wait_for(line.enter(b"later", "b", 1.0), 1.0)

    asyncio.run(scenario())


def test_nobody_waits_in_line_for_a_key_that_nobody_asks_for() -> None:
    """Its caller left before it got there; a seat that is free is no place in line."""

    async def scenario() -> None:
        line = Line(1, 4)
        await line.enter(b"free", "a", 1.0)
        with pytest.raises(Overloaded, match="have left"):
            await line.enter(b"late", "a", 1.0)

    asyncio.run(scenario())


def test_a_seat_passes_by_those_who_are_cancelled_in_the_same_turn_of_the_loop() -> None:
    """They still have a place then; the seat goes to the next one, or stays free if there is none."""

    async def scenario() -> None:
        line = Line(1, 4)
        with ExitStack() as stack:
            tasks = [wait(line, stack, b"%d" % number, "a") for number in range(3)]
            await moment()
            tasks[1].cancel()
            line.leave("a")
            await moment()
            assert tasks[1].cancelled()
            assert (tasks[2].done(), line.waiting) == (True, 0)
            last = wait(line, stack, b"last", "a")
            await moment()
            last.cancel()
            line.leave("a")
            await asyncio.wait_for(line.enter(b"later", "b", 1.0), 1.0)

    asyncio.run(scenario())


def test_callers_may_leave_in_the_turn_of_the_loop_that_cancels_their_wargame() -> None:
    async def scenario() -> None:
        line = Line(1, 4)
        await line.enter(b"runs", "a", 1.0)
        with line.attended(b"waits"):
            task = asyncio.create_task(line.enter(b"waits", "a", 1.0))
            await moment()
            task.cancel()
        await moment()
        assert (task.cancelled(), line.waiting) == (True, 0)

    asyncio.run(scenario())
