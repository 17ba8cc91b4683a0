"""Rate limits as pure ASGI middleware: one decision a request, and every header from that decision.

The headers are ``RateLimit-Policy`` and ``RateLimit`` of draft-ietf-httpapi-ratelimit-headers-10 (structured
fields, RFC 9651), the older ``X-RateLimit-*``, and ``Retry-After``; the body of a 429 is a problem document
(RFC 9457).
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.resilience.bucket import BucketDecision
from crisol.service.address import TrustedProxies, client_address
from crisol.service.exchange import exchange_of
from crisol.service.problems import Problem, document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crisol.resilience.adaptive import AdaptiveShare
    from crisol.resilience.bucket import Bucket, Rate
    from crisol.service.asgi import App, Message, Receive, Scope, Send

__all__ = ["RateLimitMiddleware"]


class _Limit:
    """A bucket, its constant headers, and for an adaptive limit the share of its rate granted now."""

    __slots__ = ("adaptive", "bucket", "name", "policy", "rate")

    def __init__(self, name: str, bucket: Bucket, adaptive: AdaptiveShare | None) -> None:
        self.name = name
        self.bucket = bucket
        self.adaptive = adaptive
        self.rate: Rate = bucket.rate
        window = max(1, round(self.rate.full))
        burst = int(self.rate.burst)
        self.policy = (
            (b"ratelimit-policy", f'"{name}";q={burst};w={window}'.encode()),
            (b"x-ratelimit-limit", str(burst).encode()),
        )

    def headers(self, decision: BucketDecision) -> list[tuple[bytes, bytes]]:
        """Return what the answer says of a decision."""
        # Whole requests: what is promised must be there when the next one asks for it.
        remaining = b"%d" % int(decision.remaining / decision.cost)
        reset = b"%d" % math.ceil(decision.reset_after)
        return [
            *self.policy,
            (b"ratelimit", b'"%b";r=%b;t=%b' % (self.name.encode(), remaining, reset)),
            (b"x-ratelimit-remaining", remaining),
            (b"x-ratelimit-reset", reset),
        ]


class RateLimitMiddleware:
    """Middleware that limits each client's requests to each route by a token bucket; answers 429 beyond it.

    ``limits`` holds a bucket by the name that ``route`` returns; None, or a name without a bucket, is not
    limited. A client is an address, see :func:`~crisol.service.address.client_address`; ``trusted`` are the
    proxies. A name in ``adaptive`` gets that share of its rate. The decision is kept in the
    :class:`~crisol.service.exchange.Exchange` and sent as headers.
    """

    def __init__(
        self,
        app: App,
        limits: Mapping[str, Bucket],
        *,
        route: Callable[[Scope], str | None],
        trusted: TrustedProxies = TrustedProxies(),  # noqa: B008 - frozen
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or answer 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        exchange = exchange_of(scope)
        exchange.client = client_address(scope, self._trusted)
        name = self._route(scope)
        limit = None if name is None else self._limits.get(name)
        if limit is None:
            await self._app(scope, receive, send)
            return
        cost = 1.0 if limit.adaptive is None else limit.adaptive.cost(limit.rate)
        room = limit.bucket.take(exchange.client, cost)
        decision = BucketDecision(limit.rate, room if isinstance(room, float) else await room, cost)
        exchange.limit, exchange.quota = limit.name, decision
        headers = limit.headers(decision)
        exchange.limit_seconds = perf_counter() - start

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A copy, since the application may send its message again; ASGI lets it leave the headers
                # out.
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await (self._app if decision.room >= 0.0 else _refuse)(scope, receive, answer)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's signature
    """Say that a request may not go on, and when the next one may."""
    exchange = exchange_of(scope)
    assert exchange.quota is not None
    wait = max(1, math.ceil(exchange.quota.retry_after))
    problem = Problem(429, f"too many requests; come back in {wait} s", retry_after=wait)
    content, head = document(problem, exchange.request_id)
    await send({"type": "http.response.start", "status": problem.status, "headers": head})
    await send({"type": "http.response.body", "body": content})
