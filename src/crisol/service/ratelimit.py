"""Rate limits as pure ASGI middleware: one decision a request, and every header from that decision.

The headers are ``RateLimit-Policy`` and ``RateLimit`` of draft-ietf-httpapi-ratelimit-headers-10 (structured fields,
RFC 9651), the older ``X-RateLimit-*``, and ``Retry-After``; the body of a 429 is a problem document (RFC 9457).
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.resilience.bucket import Decision
from crisol.service.address import TrustedProxies, client_address
from crisol.service.fields import lines, pairs
from crisol.service.problems import Problem, document

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from crisol.resilience.adaptive import AdaptiveShare
    from crisol.resilience.bucket import Bucket, Rate
    from crisol.service.shield import App, Message, Receive, Scope, Send

__all__ = ["RateLimitMiddleware", "Taken"]

_LEFT = b'%bratelimit: "%b";r=%d;t=%d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n'


class _Limit:
    """A bucket, what never changes about its headers, and the share of its rate that is granted now, if that adapts."""

    __slots__ = ("adaptive", "bucket", "label", "name", "policy", "rate")

    def __init__(self, name: str, bucket: Bucket, adaptive: AdaptiveShare | None) -> None:
        self.name = name
        self.label = name.encode()
        self.bucket = bucket
        self.adaptive = adaptive
        self.rate: Rate = bucket.rate
        window = max(1, round(self.rate.full))
        burst = int(self.rate.burst)
        self.policy = lines(
            [
                (b"ratelimit-policy", f'"{name}";q={burst};w={window}'.encode()),
                (b"x-ratelimit-limit", str(burst).encode()),
            ]
        )


class Taken:
    """What a request took from its bucket: nothing where nothing is limited, and ``decision`` None until it is known."""

    __slots__ = ("cost", "decision", "limit", "room", "start")

    def __init__(self, limit: _Limit | None = None, cost: float = 1.0, start: float = 0.0) -> None:
        self.limit = limit
        self.cost = cost
        self.start = start
        self.decision: Decision | None = None
        self.room: Awaitable[float] | None = None
        """What has to be waited for, if anything."""

    @property
    def lines(self) -> bytes:
        """What the answer says of it."""
        limit, decision = self.limit, self.decision
        if limit is None or decision is None:
            return b""
        # Whole requests: what is promised must be there when the next one asks for it.
        remaining = int(decision.remaining / decision.cost)
        reset = math.ceil(decision.reset_after)
        return _LEFT % (limit.policy, limit.label, remaining, reset, remaining, reset)

    def check(self) -> None:
        """Raise the :class:`Problem` of a request that may not go on."""
        if self.decision is not None and self.decision.room < 0.0:
            wait = max(1, math.ceil(self.decision.retry_after))
            raise Problem(429, f"too many requests; come back in {wait} s", retry_after=wait)


class RateLimitMiddleware:
    """Lets each client ask each route at the route's rate.

    ``limits`` has a bucket for every name that ``route`` returns; None, and a name without a bucket, are not
    limited. A client is its address, see :func:`~crisol.service.address.client_address`. ``record`` is told the name
    and the decision, once a request. A name in ``adaptive`` is granted that share of its rate; who measures the
    answers tells the share how they went. Only ``http`` scopes are looked at; what the application sends passes
    through as it comes, with headers added to its start.
    """

    def __init__(
        self,
        app: App,
        limits: Mapping[str, Bucket],
        *,
        route: Callable[[Scope], str | None],
        trusted: TrustedProxies = TrustedProxies(),  # noqa: B008 - frozen
        record: Callable[[str, Decision], None] | None = None,
        adaptive: Mapping[str, AdaptiveShare] | None = None,
    ) -> None:
        self._app = app
        self._limits = {
            name: _Limit(name, bucket, (adaptive or {}).get(name))
            for name, bucket in limits.items()
            if bucket.rate.limit < math.inf
        }
        self._route = route
        self._trusted = trusted
        self._record = record

    def begin(self, scope: Scope) -> Taken:
        """Take what a request costs, or as far as that goes without waiting; see :meth:`finish`."""
        name = self._route(scope)
        limit = None if name is None else self._limits.get(name)
        if limit is None:
            return Taken()
        start = perf_counter()
        taken = Taken(limit, 1.0 if limit.adaptive is None else limit.adaptive.cost(limit.rate), start)
        room = limit.bucket.take(client_address(scope, self._trusted), taken.cost)
        if isinstance(room, float):
            self._settle(scope, taken, limit, room)
        else:
            taken.room = room
        return taken

    async def finish(self, scope: Scope, taken: Taken) -> None:
        """Wait for the bucket, where it is elsewhere."""
        if taken.room is not None and taken.limit is not None:
            room, taken.room = taken.room, None
            self._settle(scope, taken, taken.limit, await room)

    def _settle(self, scope: Scope, taken: Taken, limit: _Limit, room: float) -> None:
        taken.decision = decision = Decision(limit.rate, room, taken.cost)
        scope["crisol.rate_limit"] = perf_counter() - taken.start
        if self._record is not None:
            self._record(limit.name, decision)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or answer 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "crisol.taken" not in scope:
            scope["crisol.taken"] = self.begin(scope)
        taken: Taken = scope["crisol.taken"]
        await self.finish(scope, taken)
        headers = pairs(taken.lines)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A copy, since the application may send its message again; ASGI lets it leave the headers out.
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        try:
            taken.check()
        except Problem as problem:
            content, head = document(problem, scope.get("crisol.request_id", ""))
            await answer({"type": "http.response.start", "status": problem.status, "headers": head})
            await answer({"type": "http.response.body", "body": content})
            return
        await self._app(scope, receive, answer)
