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
from crisol.service.problems import Problem, document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crisol.resilience.adaptive import AdaptiveShare
    from crisol.resilience.bucket import Bucket, Rate
    from crisol.service.shield import App, Message, Receive, Scope, Send

__all__ = ["RateLimitMiddleware"]


class _Limit:
    """A bucket, what never changes about its headers, and the share of its rate that is granted now, if that adapts."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or answer 429."""
        name = self._route(scope) if scope["type"] == "http" else None
        limit = None if name is None else self._limits.get(name)
        if limit is None:
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        share = limit.adaptive
        cost = 1.0 if share is None else share.cost(limit.rate)
        taken = limit.bucket.take(client_address(scope, self._trusted), cost)
        room = taken if isinstance(taken, float) else await taken
        decision = Decision(limit.rate, room, cost)
        scope["crisol.rate_limit"] = perf_counter() - start
        if self._record is not None:
            self._record(limit.name, decision)
        headers = _headers(limit, decision)
        if not decision.allowed:
            await _refuse(scope, send, decision, headers)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self._app(scope, receive, answer)


def _headers(limit: _Limit, decision: Decision) -> tuple[tuple[bytes, bytes], ...]:
    # Whole requests: what is promised must be there when the next one asks for it.
    remaining = int(decision.remaining / decision.cost)
    reset = math.ceil(decision.reset_after)
    return (
        *limit.policy,
        (b"ratelimit", b'"%b";r=%d;t=%d' % (limit.name.encode(), remaining, reset)),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % reset),
    )


async def _refuse(
    scope: Scope, send: Send, decision: Decision, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    wait = max(1, math.ceil(decision.retry_after))
    problem = Problem(429, f"too many requests; come back in {wait} s", retry_after=wait)
    content, head = document(problem, scope.get("crisol.request_id", ""))
    await send({"type": "http.response.start", "status": 429, "headers": [*head, *headers]})
    await send({"type": "http.response.body", "body": content})
