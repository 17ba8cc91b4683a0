"""The two endpoints that carry the load, over the wire.

Same answers whatever form a request has, in order.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from crisol.service import trace
from crisol.service.decisions import ReadQuestions
from crisol.service.messages import Answer
from crisol.validation.ladder import Question
from support.http import ask, decide
from support.raw import alike, exchange, long, short
from support.served import FLAW, VULNERABILITIES, foreign, right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration


def test_a_body_gets_the_same_answer_in_every_form(started: Callable[..., Server]) -> None:
    """With a length or in chunks, fresh or again, good or bad: status, headers and body."""
    server = started(rate_limits="ml-first=1000/60")
    good = json.dumps({"diff": foreign(1), "cwe": "CWE-22"}).encode()
    decide(server, foreign(1), None, cwe="CWE-22")
    for content, status in ((good, 200), (b"{", 422), (json.dumps({"diff": "no diff"}).encode(), 422)):
        exchange(server, long(content))
        answers = exchange(server, short(content), long(content), short(content))
        assert {answer[0] for answer in answers} == {status}
        assert alike(answers[0]) == alike(answers[1]) == alike(answers[2])
    foreign_host = short(good).replace(b"localhost", b"evil.example")
    assert exchange(server, foreign_host)[0][0] == 421
    assert exchange(server, short(good).replace(b"application/json", b"text/plain"))[0][0] == 415


def test_every_answer_says_what_is_left_and_a_refusal_when_to_come_back(
    started: Callable[..., Server],
) -> None:
    """From the model, the wargame or the cache, refused for its token or its form.

    Each has paid, and once.
    """
    from crisol.config import Settings  # noqa: PLC0415 - for the secret alone

    token = Settings(api_token="s3cret").api_token
    server = started(api_token=token, rate_limits="ml-first=6/6000")
    good = json.dumps({"diff": foreign()}).encode()
    wargamed = json.dumps({"diff": wrong(), "vulnerability": FLAW}).encode()
    bearer = b"authorization: Bearer s3cret"
    answers = [
        *exchange(server, short(good), short(b"{", bearer)),
        *exchange(
            server,
            short(good, bearer),
            short(wargamed, bearer),
            long(good, bearer),
            short(good, bearer),
            short(good, bearer),
        ),
    ]
    assert [(status, headers["x-ratelimit-remaining"]) for status, headers, _ in answers] == [
        (401, "5"), (422, "4"), (200, "3"), (200, "2"), (200, "1"), (200, "0"), (429, "0")
    ]  # fmt: skip
    sources = [content.get("source") for _, _, content in answers[2:]]
    assert sources == ["fallback", "wargame", "cache", "cache", None]
    assert answers[-1][2]["retry_after"] == int(answers[-1][1]["retry-after"])


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
    answers = exchange(server, *requests, *requests)
    assert [content["request_id"] for _, _, content in answers] == ["r0", "r1", "r2"] * 2
    assert [content["source"] for _, _, content in answers] == [
        "fallback",
        "wargame",
        "fallback",
        *["cache"] * 3,
    ]


def test_an_answer_has_the_documented_fields_and_no_others(started: Callable[..., Server]) -> None:
    server = started()
    content = json.dumps({"diff": wrong(), "vulnerability": FLAW}).encode()
    for _, _, fields in exchange(server, *[short(content)] * 3):
        answer = msgspec.convert(fields, Answer, strict=True)
        assert set(fields) == set(Answer.__struct_fields__)
        assert answer.phases
        assert answer.timings.wargame_ms is not None


def test_an_edited_vulnerability_is_wargamed_anew(started: Callable[..., Server], tmp_path: Path) -> None:
    """Without a restart and without an invalidation: a body that was answered before, too."""
    root = tmp_path / "edited"
    folder = root / "data" / "vulnerabilities" / "arena" / FLAW
    shutil.copytree(VULNERABILITIES / "arena" / FLAW, folder)
    server = started(root=root)
    assert [decide(server, right())["outcome"] for _ in range(2)] == ["valid"] * 2
    (folder / "pov" / "9_always.py").write_text("raise SystemExit(0)\n")
    time.sleep(1.1)
    edited = decide(server, right())
    assert (edited["source"], edited["reason"]) == ("wargame", "variant_survives")
    status, alone, _ = ask(server, "POST", "/wargaming/validate", {"diff": right(), "vulnerability": FLAW})
    assert (status, alone["reason"]) == (200, "variant_survives")


def test_clients_that_left_take_no_place_from_those_who_wait(started: Callable[..., Server]) -> None:
    """Six ask and close at once; the next one is judged, as soon as what runs has ended."""
    server = started(wargames=1, wargame_line=4)
    for number in range(6):
        content = json.dumps({"diff": wrong(number), "vulnerability": FLAW})
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(short(content.encode()).replace(b"ml-first", b"validate"))
    ended = re.compile(r'^wargaming_requests_total\{endpoint="validate",status="\d+"\} (\S+)', re.MULTILINE)
    deadline = time.monotonic() + 30
    while sum(map(float, ended.findall(ask(server, "GET", "/metrics")[1]))) < 6:
        assert time.monotonic() < deadline, "somebody still waits"
        time.sleep(0.05)
    assert server.service.referees.stats.waiting == 0
    assert decide(server, wrong())["source"] == "wargame"
    # Some had begun, and run to their end; of those that waited none did.
    assert server.service.referees.stats.done < 7


def test_a_trace_goes_on_from_whoever_asks(started: Callable[..., Server]) -> None:
    """The trace's id comes back, under a span of our own.

    One that is none is not taken over (W3C Trace Context).
    """
    server = started()
    trace_id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    for path in ("/health", "/wargaming/breakers"):
        _, _, headers = ask(server, "GET", path, headers={"traceparent": f"00-{trace_id}-{span}-01"})
        version, continued, own, flags = headers["traceparent"].split("-")
        assert (version, continued, flags) == ("00", trace_id, "01")
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
    """For scrapers of OpenMetrics, which have somewhere to show it.

    An unsampled one could not be looked up.
    """
    server = started()
    for number, flags in enumerate((b"00", b"01")):
        content = json.dumps({"diff": foreign(6)}).encode()
        exchange(server, short(content, b"traceparent: 00-%032x-00000000000000ff-%b" % (number + 1, flags)))
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    _, text, _ = ask(server, "GET", "/metrics", headers=accept)
    named = re.findall(r'wargaming_request_latency_seconds_bucket\{[^}]*\} \S+ # \{trace_id="(\w+)"\}', text)
    assert named == [f"{2:032x}"]
    assert "trace_id" not in ask(server, "GET", "/metrics")[1]


def test_what_is_kept_of_bodies_that_were_read_is_bounded_in_bytes() -> None:
    """A client chooses how many files its diff names, and all that are left out are listed."""
    questions = ReadQuestions()
    questions.keep(b"long", Question("patch", cut="left out: a.md (a document); " * 100))
    assert questions.get(b"long") is None
    for number in range(10_001):
        questions.keep(b"%d" % number, Question("patch"))
    assert questions.get(b"0") is None
    assert questions.get(b"10000") == Question("patch")
