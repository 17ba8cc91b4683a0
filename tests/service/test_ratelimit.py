"""The rate limiter around an application, without a server: scopes, clients, headers, refusals."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import http_sfv
import pytest

from crisol.errors import SettingsError
from crisol.resilience.adaptive import AdaptivePolicy, AdaptiveShare
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.clock import FakeClock
from crisol.service.address import TrustedProxies, client_address
from crisol.service.limits import RATES, rates, route, targets
from crisol.service.ratelimit import RateLimitMiddleware
from crisol.service.responder import HEADERS, Responder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Messages = list[MutableMapping[str, Any]]

PROXIES = "10.0.0.0/8, fd00::/8"


def http(path: str = "/wargaming/ml-first", client: str = "203.0.113.7", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "path": path, "method": "POST", "client": (client, 1234), "headers": pairs}


async def echo(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer in three pieces, as a stream does."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"kept")]})
    for piece in (b"a", b"b", b"c"):
        await send({"type": "http.response.body", "body": piece, "more_body": piece != b"c"})


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def ask(limiter: RateLimitMiddleware, scope: dict[str, Any]) -> Messages:
    """Return what a responder around the limiter sends for that scope."""
    sent: Messages = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Responder(limiter)(scope, nothing, send))
    return sent


def headers(messages: Messages) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in messages[0]["headers"]}


def limiter(rate: Rate, clock: FakeClock, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(echo, {"ml-first": TokenBucket(rate, clock=clock)}, route=route, **options)


def test_a_stream_passes_piece_by_piece_with_headers_added_to_its_start() -> None:
    sent = ask(limiter(Rate(5), FakeClock()), http())
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * 3]
    assert [message["body"] for message in sent[1:]] == [b"a", b"b", b"c"]
    assert headers(sent)["x-own"] == "kept"
    assert headers(sent)["x-ratelimit-remaining"] == "4"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scopes_reach_the_application_untouched(kind: str) -> None:
    """The very objects: nothing is wrapped, nothing is counted."""
    seen: list[tuple[Any, Any, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    bucket = TokenBucket(Rate(1))
    middleware = RateLimitMiddleware(application, {"ml-first": bucket}, route=route)
    scope = {"type": kind, "path": "/wargaming/ml-first", "headers": []}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    asyncio.run(middleware(scope, nothing, send))
    assert seen == [(scope, nothing, send)]
    assert len(bucket) == 0


def test_a_route_without_a_limit_is_not_limited() -> None:
    clock = FakeClock()
    middleware = limiter(Rate(1), clock)
    for _ in range(3):
        assert "ratelimit" not in headers(ask(middleware, http("/health")))


def test_the_headers_are_structured_fields_and_all_say_the_same() -> None:
    """One decision: what RateLimit, X-RateLimit-* and Retry-After say never contradicts itself."""
    clock = FakeClock()
    middleware = limiter(Rate(60, 60, burst=3), clock)
    for remaining in (2, 1, 0):
        told = headers(ask(middleware, http()))
        policy, state = http_sfv.List(), http_sfv.List()
        policy.parse(told["ratelimit-policy"].encode())
        state.parse(told["ratelimit"].encode())
        assert (policy[0].value, state[0].value) == ("ml-first", "ml-first")
        assert (policy[0].params["q"], policy[0].params["w"]) == (3, 3)
        assert state[0].params["r"] == remaining == int(told["x-ratelimit-remaining"])
        assert state[0].params["t"] == 3 - remaining == int(told["x-ratelimit-reset"])
        assert told["x-ratelimit-limit"] == "3"
        assert "retry-after" not in told
    refused = ask(middleware, http())
    told, problem = headers(refused), json.loads(refused[1]["body"])
    assert refused[0]["status"] == problem["status"] == 429
    assert told["content-type"] == "application/problem+json"
    assert (told["retry-after"], told["x-ratelimit-remaining"], told["x-ratelimit-reset"]) == (
        "1",
        "0",
        "3",
    )
    assert problem["retry_after"] == 1
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert int(told["content-length"]) == len(refused[1]["body"])


def test_whoever_comes_back_when_told_is_let_in() -> None:
    clock = FakeClock()
    middleware = limiter(Rate(7, 60, burst=1), clock)
    ask(middleware, http())
    wait = int(headers(ask(middleware, http()))["retry-after"])
    clock.advance(wait)
    assert ask(middleware, http())[0]["status"] == 200


def test_the_decision_that_is_recorded_is_the_one_that_is_told() -> None:
    """In the request's record, where the instruments read it."""
    middleware, noted = limiter(Rate(1), FakeClock()), []
    for _ in range(2):
        scope = http()
        ask(middleware, scope)
        exchange = scope["crisol"]
        noted.append((exchange.limit, exchange.client, exchange.quota.allowed, int(exchange.quota.remaining)))
    assert noted == [("ml-first", "203.0.113.7", True, 0), ("ml-first", "203.0.113.7", False, 0)]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # a stranger's word is worth nothing
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # from right to left: the left is the client's
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),  # proxies all the way: the farthest of them
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),  # what is no address ends the walk
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:8080", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::/64"),
        ("::ffff:203.0.113.7", "1.2.3.4", "203.0.113.7"),
        ("2001:db8:0:1:aaaa::1", "", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:bbbb::2", "", "2001:db8:0:1::/64"),  # whoever has one address of a /64 has them all
        ("fe80::1%eth0", "", "fe80::/64"),
        ("not an address", "", "unknown"),
    ],
)
def test_the_client_is_whom_a_trusted_proxy_saw(peer: str, forwarded: str, client: str) -> None:
    scope = http(client=peer, x_forwarded_for=forwarded) if forwarded else http(client=peer)
    assert client_address(scope, TrustedProxies.parse(PROXIES)) == client


def test_a_long_list_of_hops_is_cut_and_never_read_in_half() -> None:
    """An address that was cut in two must not be taken for another one."""
    line = ", ".join(["198.51.100.1"] * 500 + ["10.1.1.1"] * 200)
    client = client_address(http(client="10.0.0.1", x_forwarded_for=line), TrustedProxies.parse(PROXIES))
    assert client == "10.1.1.1"


def test_several_header_lines_are_one_list() -> None:
    scope = http(client="10.0.0.1")
    scope["headers"] = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", b"198.51.100.1")]
    assert client_address(scope, TrustedProxies.parse(PROXIES)) == "198.51.100.1"


def test_clients_and_templates_have_buckets_of_their_own() -> None:
    """Parts of a path that a client chooses buy no fresh bucket."""
    clock = FakeClock()
    middleware = RateLimitMiddleware(echo, {"breakers": TokenBucket(Rate(1, 3600), clock=clock)}, route=route)
    first = ask(middleware, http("/wargaming/breakers/cache/reset"))
    again = ask(middleware, http("/wargaming/breakers/invented-1/reset"))
    other = ask(middleware, http("/wargaming/breakers/cache/reset", client="203.0.113.8"))
    assert [messages[0]["status"] for messages in (first, again, other)] == [200, 429, 200]


def test_a_share_that_shrank_is_told_in_whole_requests() -> None:
    """Half the share: half as many requests, and the header promises no more than there are."""
    clock = FakeClock()
    share = AdaptiveShare(AdaptivePolicy(target_seconds=0.1, low=0.5), clock=clock)
    share.observe(1.0)
    clock.advance(1.0)
    middleware = limiter(Rate(4, 3600), clock, adaptive={"ml-first": share})
    told = [headers(ask(middleware, http()))["x-ratelimit-remaining"] for _ in range(2)]
    assert told == ["1", "0"]
    assert ask(middleware, http())[0]["status"] == 429


@pytest.mark.parametrize("text", ["nowhere=1", "ml-first", "ml-first=0", "ml-first=soon"])
def test_adaptive_limits_that_make_no_sense_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match="CRISOL_ADAPTIVE_LIMITS"):
        targets(text)


@pytest.mark.parametrize(
    "text", ["nowhere=1/60", "ml-first=1", "ml-first=0/60", "ml-first=x/60", "cache=1/0"]
)
def test_limits_that_make_no_sense_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match="CRISOL_RATE_LIMITS"):
        rates(text)


def test_limits_are_the_designs_until_they_are_changed() -> None:
    assert {name: rate.limit for name, rate in RATES.items()} == {
        "ml-first": 100,
        "validate": 50,
        "ml-accuracy": 10,
        "ab-testing": 20,
        "cache": 30,
        "breakers": 30,
        "vulnerabilities": 30,
    }
    changed = rates("ml-first=600/60:100, cache=off")
    assert (changed["ml-first"].limit, changed["ml-first"].burst) == (600, 100)
    assert changed["cache"].limit == float("inf")
    assert changed["validate"] == RATES["validate"]


@pytest.mark.parametrize("headers", [{}, {"headers": []}])
def test_a_start_message_may_lack_headers_and_is_never_changed(headers: dict[str, Any]) -> None:
    """ASGI lets an application leave them out, and send one message object again and again."""
    start = {"type": "http.response.start", "status": 200, **headers}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    limited = Responder(RateLimitMiddleware(app, {"r": TokenBucket(Rate(9))}, route=lambda _: "r"))
    counts = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            counts.append(len(message["headers"]))

    async def main() -> None:
        for _ in range(3):
            await limited({"type": "http", "client": ("192.0.2.1", 1), "headers": []}, None, send)  # type: ignore[arg-type]  # a GET has no body

    asyncio.run(main())
    of_ids, of_limit = 2, 5
    assert counts == [len(HEADERS) + of_ids + of_limit] * 3
    assert start == {"type": "http.response.start", "status": 200, **headers}
