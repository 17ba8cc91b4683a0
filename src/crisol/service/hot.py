"""The two routes that carry the load, as bare ASGI: no framework between the socket and the answer.

A body that was answered before, byte for byte, is recognised by its SHA-256 and answered from the cache without
being decoded. Such a note lives for at most ten seconds, so it never outlives what it was taken from by more.
"""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from crisol.service.messages import Ask, beginning, decode, ending, submission
from crisol.service.problems import Problem
from crisol.validation.validator import DECISION, Begun, Brain, Found, Submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.records import Decision
    from crisol.service.core import Service
    from crisol.service.shield import Message, Receive, Scope, Send

__all__ = ["HotRoutes"]

_NOTES = 10_000
_ENDPOINTS = {"/wargaming/ml-first": "ml-first", "/wargaming/validate": "validate"}
_JSON = (b"content-type", b"application/json")


class _Note:
    """What a decoded body came to, and, once it was answered from the cache, what never changes about that answer."""

    __slots__ = ("begin", "brain", "found", "key", "patch", "pattern")

    def __init__(self, brain: Brain, found: Found, patch: str) -> None:
        self.brain = brain
        self.key = found.key
        self.pattern = found.pattern
        self.patch = patch
        self.found: Found | None = None
        self.begin = b""


class HotRoutes:
    """Serves ``POST /wargaming/ml-first`` and ``POST /wargaming/validate`` behind the walls of the service.

    ``watch`` is told of every answer, with the seconds that it took.
    """

    def __init__(
        self, service: Service, watch: Callable[[Scope, str, Found, float], None] | None = None
    ) -> None:
        self._service = service
        self._validator = service.validator
        self._trials = service.trials
        self._cached = service.shared.cache.get
        self._watch = watch
        self._notes: dict[bytes, _Note] = {}
        service.on_refresh.append(self.forget)

    async def forget(self) -> None:
        """Forget all notes: time has passed, or something was invalidated."""
        self._notes.clear()

    def at_once(self, scope: Scope, content: bytes) -> bytes | None:
        """Return the body of ml-first's answer, or None where something has to be waited for.

        Then ``scope["crisol.begun"]`` is how far it came. Raises :class:`Problem` and
        :class:`~crisol.errors.DiffError` for what is wrong with the question.
        """
        start = perf_counter()
        digest = hashlib.sha256(content).digest()
        note = self._notes.get(digest)
        if note is not None and note.brain is self._validator.brain:
            decision = self._cached(DECISION, note.key)
            if decision is not None:
                return self._again(scope, note, decision, start)
        begun = self._validator.begin(self._read(content))
        found_now = begun.found
        if found_now is None or (self._trials.blocking and not found_now.cached):
            scope["crisol.begun"] = begun
            return None
        self._trials.offer(begun.submission, found_now)
        self._note(digest, begun, found_now)
        return self._encode(scope, found_now, begun.submission.patch.identity, start)

    async def ml_first(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer from the cache, else by the model where it is sure, else by wargame."""
        start = perf_counter()
        answered = None if "crisol.begun" in scope else self.at_once(scope, scope["crisol.body"])
        if answered is None:
            begun: Begun = scope["crisol.begun"]
            found = begun.found or await self._validator.finish(begun)
            found = await self._trials.consider(begun.submission, found)
            self._note(hashlib.sha256(scope["crisol.body"]).digest(), begun, found)
            answered = self._encode(scope, found, begun.submission.patch.identity, start)
        await _send(send, answered)

    async def validate(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer by wargame alone."""
        start = perf_counter()
        asked = self._read(scope["crisol.body"])
        found = await self._validator.validate(asked)
        await _send(send, self._encode(scope, found, asked.patch.identity, start))

    def _read(self, content: bytes) -> Submission:
        """Decode and parse a body. Raises :class:`Problem` and :class:`~crisol.errors.DiffError`."""
        try:
            asked: Ask = decode(content)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise Problem(422, f"body: {error}") from None
        return submission(asked)

    def _note(self, digest: bytes, begun: Begun, found: Found) -> None:
        if len(self._notes) >= _NOTES:
            self._notes.clear()
        self._notes[digest] = _Note(begun.brain, found, begun.submission.patch.identity)

    def _again(self, scope: Scope, note: _Note, decision: Decision, start: float) -> bytes:
        """Answer from the cache what was answered before."""
        found = note.found
        if found is None or found.decision is not decision:
            found = Found(decision, cached=True, pattern=note.pattern, key=note.key, seconds=0.0)
            note.found, note.begin = found, beginning(found, note.patch)
        seconds = self._tell(scope, found, start)
        return note.begin + ending(found, scope["crisol.request_id"], seconds, self._service.missing())

    def _encode(self, scope: Scope, found: Found, patch: str, start: float) -> bytes:
        seconds = self._tell(scope, found, start)
        return beginning(found, patch) + ending(
            found, scope["crisol.request_id"], seconds, self._service.missing()
        )

    def _tell(self, scope: Scope, found: Found, start: float) -> float:
        seconds = perf_counter() - start
        if self._watch is not None:
            self._watch(scope, _ENDPOINTS[scope["path"]], found, seconds)
        return seconds


async def _send(send: Send, content: bytes) -> None:
    head: Message = {
        "type": "http.response.start",
        "status": 200,
        "headers": [_JSON, (b"content-length", b"%d" % len(content))],
    }
    await send(head)
    await send({"type": "http.response.body", "body": content})
