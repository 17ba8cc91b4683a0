"""ASGI middleware for rate limits: it decides about each request, and adds headers with the client's limit.

The headers are ``RateLimit-Policy`` and ``RateLimit`` of draft-ietf-httpapi-ratelimit-headers-10 (structured
fields, RFC 9651), the older ``X-RateLimit-*``, and ``Retry-After``. The body of a response with status 429 is
a problem document (RFC 9457). :class:`~crisol.service.responder.Responder` sends headers and body::

    app = Responder(RateLimitMiddleware(app, {"items": TokenBucket(Rate(100))}, route=lambda scope: "items"))
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.resilience.bucket import BucketDecision
from crisol.service.address import TrustedProxies, client_address
from crisol.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crisol.resilience.adaptive import AdaptiveShare
    from crisol.resilience.bucket import Bucket, Rate
    from crisol.service.asgi import App, Receive, Scope, Send
    from crisol.service.exchange import Exchange

__all__ = ["RateLimitMiddleware"]


class _Limit:
    __slots__ = ("adaptive", "bucket", "name", "policy", "rate", "state")

    def __init__(self, name: str, bucket: Bucket, adaptive: AdaptiveShare | None) -> None:
        self.name = name
        self.bucket = bucket
        self.adaptive = adaptive
        self.rate: Rate = bucket.rate
        window = max(1, round(self.rate.full))
        burst = int(self.rate.burst)
        self.policy = (  # the headers that are the same in every response
            (b"ratelimit-policy", f'"{name}";q={burst};w={window}'.encode()),
            (b"x-ratelimit-limit", b"%d" % burst),
        )
        self.state = f'"{name}";r=%d;t=%d'.encode()  # requests left, seconds to the reset

    def headers(self, decision: BucketDecision) -> tuple[tuple[bytes, bytes], ...]:
        # Whole requests are announced, since each announced one must be available to the next request.
        remaining = int(decision.remaining / decision.cost)
        reset = math.ceil(decision.reset_after)
        return (
            *self.policy,
            (b"ratelimit", self.state % (remaining, reset)),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % reset),
        )


class RateLimitMiddleware:
    """ASGI middleware that limits how often each client may call each route of ``app``, by token buckets.

    A request above the limit raises :class:`~crisol.service.problems.Problem` with status 429.
    ``route(scope)`` returns the name of the limit for a request, None for no limit; ``limits`` maps these
    names to buckets. ``adaptive`` maps names of limits to the share of the limit that clients get at present;
    a limit without a share is granted whole. A client is identified by its address; ``trusted`` lists the
    proxies, by address or network, whose header ``X-Forwarded-For`` is believed. The decision and its headers
    are stored in the request's :class:`~crisol.service.exchange.Exchange`.
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
        """Pass one connection on to the application, or raise :class:`Problem` with status 429.

        Only an HTTP request whose route has a limit can be refused.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        exchange: Exchange = scope["crisol"]
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
        exchange.answer_headers += limit.headers(decision)
        exchange.limit_seconds = perf_counter() - start
        if decision.room < 0.0:
            wait = max(1, math.ceil(decision.retry_after))
            raise Problem(429, f"too many requests; come back in {wait} s", retry_after=wait)
        await self._app(scope, receive, send)
