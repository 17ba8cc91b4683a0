"""The short way through the service and the long one: the same walls, the same answers, only faster."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest

from crisol.service import trace
from crisol.service.messages import Answer
from support.http import ask, decide
from support.raw import alike, exchange, long, short
from support.served import FLAW, foreign, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration


def test_both_ways_give_the_same_answers(started: Callable[..., Server]) -> None:
    """Good or bad, from the model or from the cache: status, headers and body."""
    server = started(rate_limits="ml-first=1000/60")
    good = json.dumps({"diff": foreign(1), "cwe": "CWE-22"}).encode()
    decide(server, foreign(1), None, cwe="CWE-22")
    for content, status in ((good, 200), (b"{", 422), (json.dumps({"diff": "no diff"}).encode(), 422)):
        exchange(server, long(content))
        one, other = exchange(server, short(content), long(content))
        assert one[0] == status
        assert alike(one) == alike(other)
    foreign_host = short(good).replace(b"localhost", b"evil.example")
    assert exchange(server, foreign_host)[0][0] == 421
    assert exchange(server, short(good).replace(b"application/json", b"text/plain"))[0][0] == 415


def test_the_short_way_asks_for_the_token_and_takes_from_the_bucket(started: Callable[..., Server]) -> None:
    """Neither wall can be gone round, and what goes on along the long way pays once."""
    from crisol.config import Settings  # noqa: PLC0415 - for the secret alone

    token = Settings(api_token="s3cret").api_token
    server = started(api_token=token, rate_limits="ml-first=4/6000")
    good = json.dumps({"diff": foreign()}).encode()
    wargamed = json.dumps({"diff": wrong(), "vulnerability": FLAW}).encode()
    bearer = b"authorization: Bearer s3cret"
    assert exchange(server, short(good))[0][0] == 401
    found = exchange(
        server, short(good, bearer), short(wargamed, bearer), long(good, bearer), short(good, bearer)
    )
    assert [(status, headers["x-ratelimit-remaining"]) for status, headers, _ in found] == [
        (200, "2"), (200, "1"), (200, "0"), (429, "0")
    ]  # fmt: skip
    assert [content.get("source") for _, _, content in found] == ["model", "wargame", "cache", None]
    assert found[3][2]["retry_after"] == int(found[3][1]["retry-after"])


def test_a_body_in_pieces_is_answered_when_it_is_whole(started: Callable[..., Server]) -> None:
    server = started()
    request = short(json.dumps({"diff": foreign(2)}).encode())
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for start in range(0, len(request), 40):
            connection.sendall(request[start : start + 40])
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_leaves_before_its_body_is_whole_disturbs_nobody(
    started: Callable[..., Server],
) -> None:
    server = started()
    request = short(json.dumps({"diff": foreign(3)}).encode())
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request[:-10])
    assert exchange(server, request)[0][0] == 200


def test_requests_in_one_go_are_answered_in_order(started: Callable[..., Server]) -> None:
    """Also where one of them has to wait for its wargame."""
    server = started()
    texts = [{"diff": foreign(4)}, {"diff": wrong(), "vulnerability": FLAW}, {"diff": foreign(5)}]
    requests = [
        short(json.dumps(text).encode(), b"x-request-id: r%d" % number) for number, text in enumerate(texts)
    ]
    found = exchange(server, *requests, *requests)
    assert [content["request_id"] for _, _, content in found] == ["r0", "r1", "r2"] * 2
    assert [content["source"] for _, _, content in found] == ["model", "wargame", "model", *["cache"] * 3]


def test_what_is_put_together_is_an_answer_as_documented(started: Callable[..., Server]) -> None:
    """Two parts, of which the cache keeps one: together they are what the OpenAPI document says, and nothing more."""
    server = started()
    content = json.dumps({"diff": wrong(), "vulnerability": FLAW}).encode()
    for _, _, found in exchange(server, *[short(content)] * 3):
        answer = msgspec.convert(found, Answer, strict=True)
        assert set(found) == set(Answer.__struct_fields__)
        assert answer.phases
        assert answer.timings.wargame_ms is not None


def test_a_trace_goes_on_from_whoever_asks(started: Callable[..., Server]) -> None:
    """The trace's id comes back, under a span of our own; one that is none is not taken over (W3C Trace Context)."""
    server = started()
    trace_id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    for path in ("/health", "/wargaming/breakers"):
        _, _, headers = ask(server, "GET", path, headers={"traceparent": f"00-{trace_id}-{span}-01"})
        version, found, own, flags = headers["traceparent"].split("-")
        assert (version, found, flags) == ("00", trace_id, "01")
        assert own != span
    for wrong_one in (
        f"00-{'0' * 32}-{span}-01",
        f"ff-{trace_id}-{span}-01",
        f"00-{trace_id}-{span}-01-x",
        "x" * 99,
    ):
        _, _, headers = ask(server, "GET", "/health", headers={"traceparent": wrong_one})
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", headers["traceparent"])
        assert trace_id not in headers["traceparent"]
    later = trace.begin(f"01-{trace_id}-{span}-03-what-a-later-version-adds".encode())
    assert (later.id, later.sampled) == (trace_id, True)


def test_a_sampled_trace_is_the_exemplar_of_its_bucket(started: Callable[..., Server]) -> None:
    """For scrapers of OpenMetrics, which have somewhere to show it; an unsampled one could not be looked up."""
    server = started()
    for number, flags in enumerate((b"00", b"01")):
        content = json.dumps({"diff": foreign(6)}).encode()
        exchange(server, short(content, b"traceparent: 00-%032x-00000000000000ff-%b" % (number + 1, flags)))
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    _, text, _ = ask(server, "GET", "/metrics", headers=accept)
    named = re.findall(r'wargaming_request_latency_seconds_bucket\{[^}]*\} \S+ # \{trace_id="(\w+)"\}', text)
    assert named == [f"{2:032x}"]
    assert "trace_id" not in ask(server, "GET", "/metrics")[1]
