"""The two routes that carry the load, as bare ASGI: no framework between the socket and the answer.

A body that was answered before, byte for byte, is recognised by its SHA-256 and answered from the cache without
being decoded. Such a note lives for at most ten seconds, so it never outlives what it was taken from by more.
"""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from crisol.service.messages import Ask, answer, decode, encode, submission
from crisol.service.problems import Problem
from crisol.validation.validator import DECISION, Brain, Found, Submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.core import Service
    from crisol.service.shield import Message, Receive, Scope, Send
    from crisol.validation.catalogue import Pattern

__all__ = ["HotRoutes"]

_NOTES = 10_000
_ENDPOINTS = {"/wargaming/ml-first": "ml-first", "/wargaming/validate": "validate"}
_JSON = (b"content-type", b"application/json")


class _Note(NamedTuple):
    """What the decoded body came to."""

    brain: Brain
    key: bytes
    pattern: Pattern | None
    patch: str


class HotRoutes:
    """Serves ``POST /wargaming/ml-first`` and ``POST /wargaming/validate`` behind the walls of the service.

    ``watch`` is told of every answer, with the seconds that it took.
    """

    def __init__(self, service: Service, watch: Callable[[str, Found, float], None] | None = None) -> None:
        self._service = service
        self._watch = watch
        self._notes: dict[bytes, _Note] = {}
        service.on_refresh.append(self.forget)

    async def forget(self) -> None:
        """Forget all notes: time has passed, or something was invalidated."""
        self._notes.clear()

    async def ml_first(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer from the cache, else by the model where it is sure, else by wargame."""
        start = perf_counter()
        content: bytes = scope["crisol.body"]
        digest = hashlib.sha256(content).digest()
        note = self._notes.get(digest)
        if note is not None and note.brain is self._service.validator.brain:
            decision = self._service.shared.cache.get(DECISION, note.key)
            if decision is not None:
                found = Found(decision, cached=True, pattern=note.pattern, key=note.key, seconds=0.0)
                await self._send(scope, send, found, note.patch, start)
                return
        brain = self._service.validator.brain
        asked = read(content)
        found = await self._service.validator.decide(asked)
        found = await self._service.trials.consider(asked, found)
        if len(self._notes) >= _NOTES:
            self._notes.clear()
        self._notes[digest] = _Note(brain, found.key, found.pattern, asked.patch.identity)
        await self._send(scope, send, found, asked.patch.identity, start)

    async def validate(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer by wargame alone."""
        start = perf_counter()
        asked = read(scope["crisol.body"])
        found = await self._service.validator.validate(asked)
        await self._send(scope, send, found, asked.patch.identity, start)

    async def _send(self, scope: Scope, send: Send, found: Found, patch: str, start: float) -> None:
        seconds = perf_counter() - start
        content = encode(answer(found, patch, scope["crisol.request_id"], seconds, self._service.missing()))
        if self._watch is not None:
            self._watch(_ENDPOINTS[scope["path"]], found, seconds)
        head: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [_JSON, (b"content-length", b"%d" % len(content))],
        }
        await send(head)
        await send({"type": "http.response.body", "body": content})


def read(content: bytes) -> Submission:
    """Decode and parse a body. Raises :class:`Problem` and :class:`~crisol.errors.DiffError`."""
    try:
        asked: Ask = decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Problem(422, f"body: {error}") from None
    return submission(asked)
