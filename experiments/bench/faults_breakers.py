"""What circuit breakers get wrong: each fault is provoked in Crisol's and in every library at hand.

    python experiments/bench/faults_breakers.py

Prints one Markdown table; ``ok`` means that the fault could not be provoked. All is real: concurrent tasks,
recovery times of a second, and for one row a wall clock that is set forward an hour. Libraries that are not
installed (they come with the extra ``dev``) are left out and named. pybreaker guards plain functions, so what
needs two calls at once is run in threads there.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from peers import library, missing, print_table

from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.policy import BreakerPolicy

THRESHOLD = 3
RECOVERY = 1
TASKS = 50

Action = Callable[[], Awaitable[object]]
Call = Callable[[Action], Awaitable[object]]
"""Runs an action behind one breaker that opens after THRESHOLD failures in a row, for RECOVERY seconds."""
numbers = itertools.count()


def ours() -> Call:
    """Return calls behind a breaker of Crisol's."""
    policy = BreakerPolicy(consecutive_failures=THRESHOLD, recovery_seconds=RECOVERY)
    breaker = CircuitBreaker("ours", policy)
    return breaker.call


def through_circuitbreaker(package: Any) -> Callable[[], Call]:
    """Return a maker of such calls."""

    def make() -> Call:
        breaker = package.CircuitBreaker(THRESHOLD, RECOVERY, name=f"c{next(numbers)}")

        @breaker
        async def guarded(action: Action) -> object:
            return await action()

        return guarded

    return make


def through_aiobreaker(package: Any) -> Callable[[], Call]:
    """Return a maker of calls behind aiobreaker."""

    def make() -> Call:
        breaker = package.CircuitBreaker(THRESHOLD, dt.timedelta(seconds=RECOVERY))
        return breaker.call_async

    return make


def through_purgatory(package: Any) -> Callable[[], Call]:
    """Return a maker of calls behind purgatory."""

    def make() -> Call:
        factory = package.AsyncCircuitBreakerFactory(THRESHOLD, RECOVERY)

        @factory("c")
        async def guarded(action: Action) -> object:
            return await action()

        return guarded

    return make


def through_pybreaker(package: Any) -> Callable[[], Call]:
    """Return a maker of calls behind pybreaker, each in a thread of its own."""

    def make() -> Call:
        breaker = package.CircuitBreaker(fail_max=THRESHOLD, reset_timeout=RECOVERY)

        async def guarded(action: Action) -> object:
            return await asyncio.to_thread(breaker.call, lambda: asyncio.run(action()))

        return guarded

    return make


async def fail() -> None:
    """Fail, as a dependency does."""
    raise ConnectionError("down")


async def answer() -> str:
    """Answer at once."""
    return "up"


async def reaches(call: Call) -> bool:
    """Return whether a call reaches the dependency now."""
    seen: list[bool] = []

    async def action() -> None:
        seen.append(True)

    with suppress(Exception):
        await call(action)
    return bool(seen)


async def open_up(call: Call) -> None:
    """Make the breaker open."""
    for _ in range(THRESHOLD):
        with suppress(Exception):
            await call(fail)
    if await reaches(call):
        raise RuntimeError("the breaker did not open")


async def probes(make: Callable[[], Call]) -> str:
    """How many of fifty callers that wait reach a dependency that is just coming back?"""
    call, reached = make(), 0
    await open_up(call)
    await asyncio.sleep(RECOVERY + 1.1)

    async def slow() -> None:
        nonlocal reached
        reached += 1
        await asyncio.sleep(0.2)

    await asyncio.gather(*(call(slow) for _ in range(TASKS)), return_exceptions=True)
    return "ok" if reached == 1 else f"**{reached} of {TASKS} probes**"


async def cancelled_closed(make: Callable[[], Call]) -> str:
    """Do callers that give up open the circuit?"""
    call = make()
    for _ in range(THRESHOLD):
        await give_up(call)
    return "ok" if await reaches(call) else "**impatience opens it**"


async def cancelled_probe(make: Callable[[], Call]) -> str:
    """Say whether a probe that is given up closes the circuit, or leaves it without probes."""
    call = make()
    await open_up(call)
    await asyncio.sleep(RECOVERY + 1.1)
    await give_up(call)
    for _ in range(THRESHOLD - 1):
        with suppress(Exception):
            await call(fail)
    if await reaches(call):
        return "**a cancelled probe closes it**"
    await asyncio.sleep(RECOVERY + 1.1)
    return "ok" if await reaches(call) else "**the probe is lost**"


async def give_up(call: Call) -> None:
    """Cancel a call that is under way."""
    task = asyncio.ensure_future(call(lambda: asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task


async def stale_success(make: Callable[[], Call]) -> str:
    """Say whether a call that began before the circuit opened closes it when it comes back."""
    call, gate = make(), asyncio.Event()

    async def late() -> None:
        await gate.wait()

    task = asyncio.ensure_future(call(late))
    await asyncio.sleep(0.01)
    await open_up(call)
    gate.set()
    with suppress(Exception):
        await task
    return "**a late success closes it**" if await reaches(call) else "ok"


async def one_error(make: Callable[[], Call]) -> str:
    """Is the exception of a rejection one shared object, whose traceback grows?"""
    call = make()
    await open_up(call)
    errors: list[Exception] = []
    for _ in range(100):
        try:
            await call(answer)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is what is looked at
            errors.append(error)
    if len({id(error) for error in errors}) == len(errors):
        return "ok"
    depth = len(traceback.extract_tb(errors[-1].__traceback__))
    return f"**one object, {depth} frames after 100**"


async def wall_clock(make: Callable[[], Call]) -> str:
    """Say whether a wall clock that is set forward an hour lets calls through at once."""
    call = make()
    await open_up(call)
    with clock_set_forward(3600.0):
        let_in = await reaches(call)
    return "**a clock that is set closes it**" if let_in else "ok"


@contextmanager
def clock_set_forward(seconds: float) -> Iterator[None]:
    """Set ``time.time`` and every ``datetime`` that a loaded library has imported forward."""
    real, ahead = time.time, dt.timedelta(seconds=seconds)

    class Ahead(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + ahead

        @classmethod
        def utcnow(cls) -> dt.datetime:
            return dt.datetime.now(dt.UTC).replace(tzinfo=None) + ahead

    names = ("aiobreaker.state", "aiobreaker.circuitbreaker", "pybreaker", "circuitbreaker")
    changed = [sys.modules[name] for name in names if hasattr(sys.modules.get(name), "datetime")]
    with patch("time.time", lambda: real() + seconds):
        for module in changed:
            module.datetime = Ahead  # type: ignore[attr-defined] # the library's own import
        try:
            yield
        finally:
            for module in changed:
                module.datetime = dt.datetime  # type: ignore[attr-defined] # as above


FAULTS: dict[str, Callable[[Callable[[], Call]], Awaitable[str]]] = {
    "half-open lets everybody in": probes,
    "a cancelled call counts as failed": cancelled_closed,
    "a cancelled probe decides": cancelled_probe,
    "a stale success closes the circuit": stale_success,
    "one exception object for all": one_error,
    "trusts the wall clock": wall_clock,
}
ASYNCHRONOUS = {cancelled_closed, cancelled_probe, stale_success}
"""What cannot be done to a plain function: it is not cancelled, and pybreaker lets one call in at a time."""


def makers() -> dict[str, Callable[[], Call]]:
    """Return how to make a breaker of every library at hand, ours first."""
    made: dict[str, Callable[[], Call]] = {"crisol": ours}
    adapters = {
        "circuitbreaker": through_circuitbreaker,
        "aiobreaker": through_aiobreaker,
        "purgatory": through_purgatory,
        "pybreaker": through_pybreaker,
    }
    for name, adapter in adapters.items():
        package = library(name)
        if package is not None:
            made[name] = adapter(package)
    return made


def main() -> None:
    """Print the table."""
    breakers = makers()
    rows = {}
    for fault, provoke in FAULTS.items():
        rows[fault] = [
            "-" if name == "pybreaker" and provoke in ASYNCHRONOUS else asyncio.run(provoke(make))
            for name, make in breakers.items()
        ]
    print_table("Circuit breakers", list(breakers), rows)
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
