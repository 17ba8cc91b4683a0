"""Requests leave no cycles of references: a worker collects garbage seldom, and would hold their bodies."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from crisol.service.exchange import Present
from crisol.service.problems import Problem
from crisol.service.responder import Responder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisol.service.asgi import Message, Receive, Scope, Send


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Switch the garbage collector off for a test."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_a_watched_request_is_freed_without_the_garbage_collector() -> None:
    """A request is watched if its answer takes long, as all do under load."""

    async def watched() -> weakref.ref[Receive]:
        looked = asyncio.Event()

        async def receive() -> Message:
            looked.set()
            await asyncio.Event().wait()
            raise AssertionError("the client stays")

        async with Present(receive):
            await looked.wait()
        return weakref.ref(receive)

    assert asyncio.run(watched())() is None


@pytest.mark.usefixtures("no_collection")
def test_a_refused_request_is_freed_without_the_garbage_collector() -> None:
    """Refusals are most frequent under load, as from a rate limit."""

    async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise Problem(429, "too many requests")

    async def refused() -> weakref.ref[Receive]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            sent.append(message)

        await Responder(refuse)({"type": "http", "headers": []}, receive, send)
        assert sent[0]["status"] == 429
        return weakref.ref(receive)

    assert asyncio.run(refused())() is None
