"""Servers that hang or die beneath a running service.

Every answer comes, says what it lacked, and no trial is lost.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from crisol.metrics import FAMILIES
from crisol.resilience.clock import FakeClock
from support.http import ask, decide
from support.served import foreign, right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.servers import PostgresServer, RedisServer
    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration
PATIENCE = {"database": 5.0, "cache": 3.0}
"""The time-outs of the breakers' policies, which an answer may take at the most, beside its wargame."""


def patch(number: int) -> str:
    """Return another wrong patch of the same flaw."""
    return wrong(number)


def until(server: Server, condition: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait for something that the service does every ten seconds, without waiting for the ten seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        asyncio.run_coroutine_threadsafe(server.service.refresh(), server.loop).result(30)


def state(server: Server) -> dict[str, Any]:
    return dict(ask(server, "GET", "/wargaming/ab-testing/status")[1])


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_trials_of_a_database_that_hangs_or_dies_arrive_once_it_is_back(
    started: Callable[..., Server], postgres_server: Callable[..., PostgresServer], how: str
) -> None:
    """In order of the days.

    Stored, away (named, in time, in the journal), back, and each trial there once.
    """
    postgres = postgres_server()
    server = started(database_url=SecretStr(postgres.dsn))
    assert decide(server, patch(0))["degraded"] == []
    until(server, lambda: state(server)["stored"] == 1)
    getattr(postgres, how)()
    answers = []
    for number in range(1, 5):
        start = time.monotonic()
        answers.append(decide(server, patch(number)))
        assert time.monotonic() - start < PATIENCE["database"] + 5.0
    assert {answer["outcome"] for answer in answers} == {"invalid"}
    until(server, lambda: "database" in decide(server, patch(5))["degraded"])
    _, report, _ = ask(server, "GET", "/health/detailed")
    assert report["components"]["trials"]["status"] == "degraded"
    assert report["components"]["journal"]["status"] == "degraded"
    postgres.cont() if how == "stop" else postgres.restart()
    ask(server, "POST", "/wargaming/breakers/database/reset", {})
    until(server, lambda: server.service.trials.store.journal.empty)
    assert state(server)["lost"] == 0
    with psycopg.connect(postgres.dsn) as connection:
        rows = connection.execute("SELECT patch, count(*) FROM trials GROUP BY patch").fetchall()
    assert len(rows) == 6
    assert {count for _, count in rows} == {1}
    assert decide(server, patch(6))["degraded"] == []


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_cache_that_hangs_or_dies_costs_time_once_and_no_answer(
    started: Callable[..., Server], redis_server: Callable[..., RedisServer], how: str
) -> None:
    """Limits go on in this process, the cache too; whoever is asked says that the shared one was missing."""
    redis = redis_server()
    server = started(redis_url=redis.url, rate_limits="ml-first=1000/60")
    assert decide(server, foreign(0), None)["degraded"] == []
    getattr(redis, how)()
    for number in range(1, 12):
        start = time.monotonic()
        answer = decide(server, foreign(number), None)
        assert time.monotonic() - start < PATIENCE["cache"]
        assert (answer["source"], answer["degraded"]) == ("fallback", ["cache"])
    assert decide(server, foreign(11), None)["source"] == "cache"
    redis.cont() if how == "stop" else redis.restart()
    ask(server, "POST", "/wargaming/breakers/cache/reset", {})
    decide(server, foreign(20), None)
    assert decide(server, foreign(21), None)["degraded"] == []


def samples(server: Server) -> dict[tuple[str, str], float]:
    """Return every sample by its name and labels."""
    _, text, _ = ask(server, "GET", "/metrics")
    return {
        (
            sample.name,
            ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()) if k != "worker"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_family_moves_when_what_it_counts_happens(
    started: Callable[..., Server], redis_server: Callable[..., RedisServer]
) -> None:
    """Through real requests: a wargame, hits and misses, a refusal, and a breaker's whole life twice over."""
    redis = redis_server()
    server = started(
        redis_url=redis.url,
        rate_limits="ml-first=1000/60,breakers=1/600,ab-testing=off",
        adaptive_limits="ml-first=1",
    )
    breaker = server.service.breakers["cache"]
    before = samples(server)
    for text in (wrong(), wrong(), right()):
        decide(server, text)
    for _ in range(2):
        ask(server, "GET", "/wargaming/breakers")
    breaker.clock = clock = FakeClock()
    redis.kill()
    for number in range(12):
        decide(server, foreign(number), None)
    clock.advance(breaker.policy.longest_wait)
    decide(server, foreign(20), None)
    redis.restart()
    clock.advance(breaker.policy.longest_wait)
    for number in range(30, 40):
        decide(server, foreign(number), None)
    until(server, lambda: state(server)["stored"] == 2)
    asyncio.run_coroutine_threadsafe(server.service.refresh(), server.loop).result(30)
    after = samples(server)
    # As text, because what is not known yet is not even equal to itself.
    moved = {key for key, value in after.items() if str(before.get(key)) != str(value)}

    def has(name: str, labels: str = "") -> bool:
        return any(key == f"wargaming_{name}" and labels in text for key, text in moved)

    for name, labels in (
        ("rate_limit_requests_total", "endpoint=ml-first,result=allowed"),
        ("rate_limit_requests_total", "endpoint=breakers,result=rejected"),
        ("rate_limit_bucket_tokens", "endpoint=ml-first"),
        ("rate_limit_bucket_fill_percentage", "endpoint=ml-first"),
        ("circuit_breaker_failures_total", "breaker=cache,failure_type=error"),
        ("circuit_breaker_successes_total", "breaker=cache"),
        ("circuit_breaker_rejections_total", "breaker=cache"),
        ("circuit_breaker_recovery_attempts_total", "breaker=cache,result=failure"),
        ("circuit_breaker_recovery_attempts_total", "breaker=cache,result=success"),
        ("middleware_latency_seconds_count", "middleware=shield"),
        ("middleware_latency_seconds_count", "middleware=rate_limit"),
        ("middleware_latency_seconds_count", "middleware=gate"),
        ("request_latency_seconds_count", "endpoint=ml-first,source=wargame"),
        ("request_latency_seconds_count", "endpoint=ml-first,source=fallback"),
        ("request_latency_seconds_count", "endpoint=ml-first,source=cache"),
        ("requests_total", "endpoint=ml-first,status=200"),
        ("cache_lookups_total", "kind=decision,result=hits"),
        ("cache_lookups_total", "kind=decision,result=misses"),
        ("cache_lookups_total", "kind=decision,result=errors"),
        ("predictions_total", "predicted="),
        ("prediction_confidence_count", ""),
        ("wargames_total", "outcome=invalid"),
        ("wargames_total", "outcome=valid"),
        ("wargame_seconds_count", ""),
        ("trials_total", "place=stored"),
        ("model_accuracy", "bound=estimate"),
        ("model_false_accept_rate", "bound=estimate"),
    ):
        assert has(name, labels), (name, labels)
    opened = [
        value
        for (name, labels), value in after.items()
        if name.endswith("breaker_state") and "cache,state=closed" in labels
    ]
    assert opened == [1.0]
    named = {key.removeprefix("wargaming_") for key, _ in after}
    for family in FAMILIES:
        bare = family.removeprefix("wargaming_")
        assert bare in named or f"{bare}_count" in named or bare == "degraded_answers_total", family
