from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crisol.abtest.patches import PatchStore
from crisol.chaos import faults
from crisol.config import Settings
from crisol.diff import between, parse
from crisol.errors import SettingsError, UnavailableError
from crisol.service.embedded import Server, serve
from crisol.wargaming.fitting import fitted
from crisol.wargaming.vulnerability import find
from support.http import ask, decide
from support.raw import exchange
from support.served import FLAW, ROOT, VULNERABILITIES, foreign, model_folder, predictor, right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisol.servers import RedisServer

pytestmark = pytest.mark.integration


def test_the_truth_comes_from_the_wargame_and_then_from_the_cache(started: Callable[..., Server]) -> None:
    server = started()
    first, again = decide(server, wrong()), decide(server, wrong())
    assert (first["outcome"], first["reason"], first["source"]) == ("invalid", "exploit_survives", "wargame")
    assert (again["outcome"], again["reason"], again["source"]) == ("invalid", "exploit_survives", "cache")
    assert again["decided_by"] == "wargame"
    assert again["timings"]["total_ms"] < first["timings"]["total_ms"]
    assert first["request_id"] != again["request_id"]
    assert decide(server, right())["outcome"] == "valid"
    status, verdict, _ = ask(server, "POST", "/wargaming/validate", {"diff": right(), "vulnerability": FLAW})
    assert (status, verdict["outcome"], verdict["source"]) == (200, "valid", "cache")


def test_an_unknown_vulnerability_is_predicted_and_its_outcome_unknown(
    started: Callable[..., Server],
) -> None:
    """However sure the model is: nobody tested its thresholds there."""
    server = started(accept_at=0.0)
    for vulnerability in ("CVE-1999-0001", None):
        answer = decide(server, foreign(), vulnerability)
        assert (answer["outcome"], answer["source"], answer["confidence"]) == ("unknown", "fallback", 0.0)
        assert (answer["advisory"], answer["vulnerability"]) == (True, None)
        assert 0.0 <= answer["probability"] <= 1.0
    status, problem, _ = ask(server, "POST", "/wargaming/validate", {"diff": foreign(), "vulnerability": "x"})
    assert (status, problem["status"]) == (404, 404)


def test_a_trial_is_kept_of_every_fresh_decision_that_was_wargamed(
    started: Callable[..., Server], settings: Settings
) -> None:
    """Sure of everything and sampled at rate 1, the model is checked in the background and then corrected.

    The diff is kept, too, for whoever retrains.
    """
    server = started(accept_at=0.0, ab_test_rate=1.0)
    assert (decide(server, wrong())["source"], decide(server, wrong())["source"]) == ("model", "cache")
    for _ in range(200):
        _, state, _ = ask(server, "GET", "/wargaming/ab-testing/status")
        if state["stored"]:
            break
        time.sleep(0.05)
    _, report, _ = ask(server, "GET", "/wargaming/ml/accuracy?time_range=1h")
    assert (report["trials"], report["confusion"]["fp"] + report["confusion"]["tn"]) == (1, 1)
    _, (trial,), _ = ask(server, "GET", "/wargaming/ab-testing/trials")
    assert (trial["outcome"], trial["correct"], trial["sampling_probability"]) == (
        "invalid",
        trial["probability"] < 0.5,
        1.0,
    )
    kept = PatchStore(settings.patches).get(decide(server, wrong())["patch"])
    assert parse(kept or "").added == parse(wrong()).added


def test_a_patch_that_the_model_learnt_is_kept_apart_from_its_accuracy(
    started: Callable[..., Server], settings: Settings, tmp_path: Path
) -> None:
    """Its trial is marked; what a model learnt by heart says nothing of patches to come."""
    shutil.copytree(model_folder(), tmp_path / "model")
    (subject,) = find([VULNERABILITIES], only=[FLAW])
    cut = fitted(wrong(1), subject.vulnerable(settings.cache))
    (tmp_path / "model" / "learnt.txt").write_text(cut.patch.identity)
    server = started(accept_at=2.0, reject_at=-1.0, ab_test_rate=1.0, model=tmp_path / "model")
    for number in (1, 2):
        assert decide(server, wrong(number))["source"] == "wargame"
    trials: list[dict[str, object]] = []
    for _ in range(200):
        _, trials, _ = ask(server, "GET", "/wargaming/ab-testing/trials")
        if len(trials) == 2:
            break
        time.sleep(0.05)
    assert [trial["learnt"] for trial in trials] == [False, True]
    _, report, _ = ask(server, "GET", "/wargaming/ml/accuracy?time_range=1h")
    assert report["trials"] == 1


def test_a_repositorys_patch_is_answered_as_its_cut(started: Callable[..., Server]) -> None:
    """Key, features and wargame see what is judged.

    What is left out is named, and what does not fit is no trial.
    """
    server = started(accept_at=2.0, reject_at=-1.0, ab_test_rate=1.0)
    plain = decide(server, right())
    tests = between({"tests/test_x.py": "a\n"}, {"tests/test_x.py": "b\n"})
    whole = decide(server, right().replace("reports.py", "src/reports.py") + tests)
    assert (whole["patch"], whole["outcome"], whole["source"]) == (plain["patch"], "valid", "cache")
    assert "src/ read as ./" in whole["cut"]
    assert "tests/test_x.py (a test)" in whole["cut"]
    _, before, _ = ask(server, "GET", "/wargaming/ab-testing/status")
    for text in (tests, right().replace("reports.py", "other.py"), right().replace("@@\n ", "@@\n  ", 1)):
        for route in ("ml-first", "validate"):
            status, answer, _ = ask(
                server, "POST", f"/wargaming/{route}", {"diff": text, "vulnerability": FLAW}
            )
            assert (status, answer["outcome"], answer["reason"]) == (200, "inconclusive", "does_not_apply")
            assert answer["detail"]
    _, after, _ = ask(server, "GET", "/wargaming/ab-testing/status")
    assert after["stored"] <= before["stored"] + 1
    corrected = decide(server, wrong())
    assert (corrected["outcome"], corrected["decided_by"]) == ("invalid", "wargame")


def test_blocking_mode_answers_a_sampled_patch_by_its_wargame(started: Callable[..., Server]) -> None:
    server = started(accept_at=0.0, ab_test_rate=1.0, ab_mode="blocking")
    answer = decide(server, wrong())
    assert (answer["outcome"], answer["source"]) == ("invalid", "wargame")


def test_the_switch_is_kept_and_read_again(started: Callable[..., Server], settings: Settings) -> None:
    server = started()
    assert ask(server, "POST", "/wargaming/ab-testing/disable", {})[1]["enabled"] is False
    status, state, _ = ask(server, "POST", "/wargaming/ab-testing/enable", {"rate": 0.25})
    assert (status, state["enabled"], state["rate"]) == (200, True, 0.25)
    another = started()
    assert ask(another, "GET", "/wargaming/ab-testing/status")[1]["rate"] == 0.25


def test_what_is_invalidated_is_decided_anew(started: Callable[..., Server]) -> None:
    server = started()
    for wish in ({"tag": f"vulnerability:{FLAW}"}, {"all": True}):
        decide(server, wrong())
        assert decide(server, wrong())["source"] == "cache"
        status, gone, _ = ask(server, "POST", "/wargaming/cache/invalidate", wish)
        assert (status, gone["entries"] > 0) == (200, True)
        assert decide(server, wrong())["source"] != "cache"
    _, stats, _ = ask(server, "GET", "/wargaming/cache/stats")
    assert {kind["kind"] for kind in stats["kinds"]} >= {"decision", "verdict", "vulnerability_pattern"}


BAD = [
    ("POST", "/wargaming/ml-first", b"{", 422, "body:"),
    ("POST", "/wargaming/ml-first", b"", 422, "body:"),
    ("POST", "/wargaming/ml-first", {"diff": "not a diff"}, 422, "no file header"),
    ("POST", "/wargaming/ml-first", {"diff": ""}, 422, "length >= 1"),
    ("POST", "/wargaming/ml-first", {"diff": 7}, 422, r"$.diff"),
    ("POST", "/wargaming/ml-first", {"diff": "x", "extra": 1}, 422, "unknown field"),
    ("POST", "/wargaming/ml-first", b'{"diff": "\\ud800"}', 422, "body:"),
    ("POST", "/wargaming/ml-first", b'{"diff": "\xff"}', 422, "body:"),
    ("POST", "/wargaming/ml-first", b"[" * 100_000, 422, "body:"),
    ("POST", "/wargaming/ml-first", {"diff": "x", "cwe": "22"}, 422, "cwe"),
    ("POST", "/wargaming/ml-first", {"diff": "x", "vulnerability": "v" * 65}, 422, "length <= 64"),
    ("GET", "/wargaming/ml-first", None, 405, "POST"),
    ("GET", "/wargaming/ml/accuracy?time_range=soon", None, 422, "time_range"),
    ("GET", "/wargaming/ml/accuracy?time_range=99999d", None, 422, "time_range"),
    ("POST", "/wargaming/ab-testing/enable", {"rate": 1.5}, 422, "rate"),
    ("POST", "/wargaming/ab-testing/enable", {"rate": "NaN"}, 422, "rate"),
    ("POST", "/wargaming/cache/invalidate", {}, 422, "exactly one"),
    ("POST", "/wargaming/cache/invalidate", {"key": "00"}, 422, "key"),
    ("POST", "/wargaming/breakers/nothing/reset", {}, 404, "there are"),
    ("DELETE", "/health", None, 405, "Method Not Allowed"),
    ("GET", "/nothing", None, 404, "Not Found"),
    ("POST", "/wargaming/ml-first", b"x" * (2 << 20), 413, "bytes"),
]


def test_bad_input_gets_a_problem_that_says_what_was_wrong(started: Callable[..., Server]) -> None:
    """Never a 5xx, never a traceback or a path of the machine, always the request's id."""
    server = started()
    for method, path, content, status, words in BAD:
        answered, problem, headers = ask(server, method, path, content)
        assert answered == status, (path, problem)
        assert words in problem["detail"], (path, problem)
        assert headers["content-type"] == "application/problem+json"
        assert problem["request_id"] == headers["x-request-id"]
        assert "Traceback" not in str(problem)
        assert str(ROOT) not in str(problem)


CHANGES = (
    "/wargaming/ab-testing/disable",
    "/wargaming/breakers/sandbox/reset",
    "/wargaming/cache/invalidate",
)


@pytest.mark.parametrize("path", CHANGES)
def test_what_a_page_of_another_site_can_send_changes_nothing(
    started: Callable[..., Server], path: str
) -> None:
    """A browser sends forms and plain text across origins without asking, also empty ones.

    JSON it does not.
    """
    server = started()
    everything = b'{"all": true}'
    for kind in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json;x",
        "multipart/form-data",
        "",
    ):
        for content in (b"", everything):
            given = {"content-type": kind} if kind else {}
            status, problem, _ = exchange_plain(server, path, content, given)
            wanted = (
                415 if kind != "application/json;x" else 200 if content or "invalidate" not in path else 422
            )
            assert status == wanted, (kind, content, problem)
    body = everything if "invalidate" in path else {}
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://localhost.evil.example"):
        status, problem, _ = ask(server, "POST", path, body, {"origin": origin})
        assert (status, "another site" in problem["detail"]) == (403, True)
    own = {"origin": f"http://127.0.0.1:{server.port}", "host": f"127.0.0.1:{server.port}"}
    assert ask(server, "POST", path, body, own)[0] == 200
    assert ask(server, "GET", "/wargaming/breakers", headers={"origin": "https://evil.example"})[0] == 200


def test_the_token_takes_the_place_of_json_where_there_is_nothing_to_say(
    started: Callable[..., Server],
) -> None:
    """No page of another site knows it; a body is JSON all the same, and a foreign origin refused."""
    server = started(api_token=Settings(api_token="s3cret").api_token)
    bearer = {"authorization": "Bearer s3cret"}
    assert exchange_plain(server, "/wargaming/ab-testing/disable", b"", bearer)[0] == 200
    assert exchange_plain(server, "/wargaming/ab-testing/disable", b"", {})[0] == 401
    form = bearer | {"content-type": "text/plain"}
    assert exchange_plain(server, "/wargaming/cache/invalidate", b'{"all": true}', form)[0] == 415
    foreign_origin = bearer | {"origin": "https://evil.example"}
    assert exchange_plain(server, "/wargaming/ab-testing/disable", b"", foreign_origin)[0] == 403


def exchange_plain(
    server: Server, path: str, content: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], Any]:
    """Post bytes with those headers and no others."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: localhost",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    head = "\r\n".join([*lines, f"content-length: {len(content)}", "", ""])
    return exchange(server, head.encode() + content)[0]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::1", "a" * 5000])
def test_a_foreign_host_name_is_refused(started: Callable[..., Server], host: str) -> None:
    """Else a web page could rebind its own name to this machine and ask in the user's name."""
    assert ask(started(), "GET", "/health", headers={"host": host})[0] == 421


def test_the_token_is_asked_for_where_it_must(started: Callable[..., Server]) -> None:
    token = {"api_token": Settings(api_token="s3cret").api_token}
    server = started(**token, reads="open")
    wish = {"diff": foreign()}
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
        status, _, answer = ask(server, "POST", "/wargaming/ml-first", wish, headers)
        assert (status, answer["www-authenticate"]) == (401, "Bearer")
        assert ask(server, "POST", "/wargaming/breakers/cache/reset", {}, headers)[0] == 401
    assert ask(server, "POST", "/wargaming/ml-first", wish, {"authorization": "Bearer s3cret"})[0] == 200
    assert ask(server, "GET", "/wargaming/breakers")[0] == 200
    closed = started(**token)
    for path in ("/wargaming/breakers", "/metrics", "/health/detailed", "/openapi.json", "/nothing"):
        assert ask(closed, "GET", path)[0] == 401
        assert ask(closed, "GET", path, headers={"authorization": "Bearer s3cret"})[0] != 401
    # The page asks for the token, and whoever balances load has none.
    assert {ask(closed, "GET", path)[0] for path in ("/health", "/", "/static/page.js")} == {200}


def test_every_answer_carries_the_security_headers(started: Callable[..., Server]) -> None:
    """A policy of scripts and frames belongs to the page; data alone needs no more than nosniff."""
    server = started()
    for path in ("/", "/health", "/metrics", "/nothing", "/static/page.js"):
        _, _, headers = ask(server, "GET", path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert ("content-security-policy" in headers) == (path == "/")
    _, _, page = ask(server, "GET", "/")
    assert page["content-security-policy"].startswith("default-src 'none'")
    assert (page["x-frame-options"], page["referrer-policy"]) == ("DENY", "no-referrer")


def test_a_request_id_is_taken_over_only_where_it_is_harmless(started: Callable[..., Server]) -> None:
    server = started()
    assert ask(server, "GET", "/health", headers={"x-request-id": "abc-1"})[2]["x-request-id"] == "abc-1"
    for hostile in ("a b", "x" * 65, "<script>"):
        assert ask(server, "GET", "/health", headers={"x-request-id": hostile})[2]["x-request-id"] != hostile


def test_a_limit_that_adapts_shrinks_while_answers_are_slow(started: Callable[..., Server]) -> None:
    """Every answer is slower than a microsecond, so a bad second follows the other.

    The share is in /metrics.
    """
    server = started(rate_limits="ml-first=1000000/60", adaptive_limits="ml-first=0.000001")
    for _ in range(200):
        decide(server, foreign(), None)
        _, text, _ = ask(server, "GET", "/metrics")
        share = re.search(r'adaptive_share\{endpoint="ml-first"[^}]*\} ([0-9.]+)', text)
        assert share is not None
        if float(share[1]) <= 0.5:
            return
        time.sleep(0.05)
    pytest.fail("the share never shrank")


def test_limits_hold_exactly_and_say_when_to_come_back(started: Callable[..., Server]) -> None:
    server = started(rate_limits="breakers=3/600")
    answers = [ask(server, "GET", "/wargaming/breakers") for _ in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert answers[0][2]["ratelimit"] == '"breakers";r=2;t=200'
    assert answers[3][1]["retry_after"] == int(answers[3][2]["retry-after"]) <= 200
    assert ask(server, "GET", "/health")[0] == 200


def test_a_head_that_never_ends_is_cut_off(
    started: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crisol.service.protocol.HEAD_SECONDS", 0.2)
    server = started()
    for start in (b"", b"GET /health HTTP/1.1\r\nhost: localhost\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as slow:
            slow.sendall(start)
            assert slow.recv(1000).startswith(b"HTTP/1.1 408")
            assert slow.recv(1000) == b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as large:
        large.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 60_000)
        assert large.recv(1000).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("body", [b"", b"{", b'{"diff": "x'])
def test_a_body_that_never_ends_is_cut_off(
    started: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """From its very first byte on: a head that promises a body keeps nobody waiting."""
    monkeypatch.setattr("crisol.service.protocol.BODY_SECONDS", 0.2)
    server = started()
    head = b"POST /wargaming/ml-first HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as slow:
        slow.sendall(head + body)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
        assert slow.recv(1000) == b""


def test_a_client_that_does_not_take_its_answers_is_cut_off(
    started: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks and asks and never reads, until what waits for it fills every buffer.

    Others are answered meanwhile.
    """
    monkeypatch.setattr("crisol.service.protocol.BODY_SECONDS", 0.5)
    server = started()
    request = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as deaf:
        with pytest.raises(ConnectionError):  # noqa: PT012 - it is cut off at some time or other
            for _ in range(100_000):
                deaf.sendall(request * 10)
        assert ask(server, "GET", "/health")[0] == 200


def test_a_body_without_a_length_is_refused_while_it_comes(started: Callable[..., Server]) -> None:
    server = started(body_limit=2048)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as endless:
        endless.sendall(
            b"POST /wargaming/ml-first HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        endless.sendall(b"800\r\n" + b"x" * 2048 + b"\r\n1\r\nx\r\n")
        assert endless.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_redis_that_dies_is_named_and_every_answer_still_comes(
    started: Callable[..., Server], redis_server: Callable[..., RedisServer]
) -> None:
    """From the first answer that lacked it on, not only once the breaker is open."""
    redis = redis_server()
    server = started(redis_url=redis.url)
    assert decide(server, foreign(0), None)["degraded"] == []
    redis.kill()
    assert "cache" in decide(server, foreign(1), None)["degraded"]
    redis.restart()
    ask(server, "POST", "/wargaming/breakers/cache/reset", {})
    decide(server, foreign(2), None)
    assert decide(server, foreign(3), None)["degraded"] == []


def test_health_names_every_part_and_says_what_is_away(started: Callable[..., Server]) -> None:
    status, report, _ = ask(started(), "GET", "/health/detailed")
    assert (status, report["status"]) == (200, "healthy")
    assert set(report["components"]) == {
        "cache", "trials", "model", "rungs", "sandbox", "breakers", "queue", "journal"
    }  # fmt: skip
    away = started(model=Path("nowhere"), redis_url="redis://127.0.0.1:1/0")
    status, report, _ = ask(away, "GET", "/health/detailed")
    assert (status, report["status"]) == (200, "degraded")
    assert {name for name, part in report["components"].items() if part["status"] == "degraded"} == {
        "cache", "model"
    }  # fmt: skip
    answer = decide(away, right())
    assert (answer["outcome"], answer["source"]) == ("valid", "wargame")
    assert "ml_model" in answer["degraded"]


def test_a_model_that_answers_otherwise_than_it_was_exported_is_not_used(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    """Seen at the start, by the probability of one patch that goes along with the model.

    Every patch is wargamed.
    """
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    description = json.loads((folder / "serving.json").read_text())
    (folder / "serving.json").write_text(
        json.dumps(description | {"intercept": description["intercept"] + 1.0})
    )
    server = started(model=folder)
    _, report, _ = ask(server, "GET", "/health/detailed")
    assert report["components"]["model"]["status"] == "degraded"
    assert decide(server, right())["degraded"] == ["ml_model"]


def test_a_model_that_stops_answering_as_it_did_makes_the_service_unhealthy(
    started: Callable[..., Server],
) -> None:
    """503 for whoever balances load; a process that answers is alive all the same."""
    server = started()
    predictor = server.service.validator.model.served.predictor
    assert predictor is not None
    assert predictor.serving.golden is not None
    predictor.serving = replace(predictor.serving, golden=predictor.serving.golden + 0.5)
    status, report, _ = ask(server, "GET", "/health/detailed")
    assert (status, report["status"], report["components"]["model"]["status"]) == (
        503,
        "unhealthy",
        "unhealthy",
    )
    assert all(part["ms"] >= 0.0 for part in report["components"].values())
    assert ask(server, "GET", "/health")[0] == 200


def test_a_damaged_file_is_refused_by_name_and_the_model_in_use_stays(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    """Whichever file the model is read from; a whole one is taken again."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    whole = (folder / "model.onnx").read_bytes()
    server = started(model=folder)
    faults.FAULTS["model_corrupt"].start(faults.Stage(None, folder, None, None, None, None))  # type: ignore[arg-type]  # the folder is all that it touches
    assert len((folder / "model.onnx").read_bytes()) == len(whole) // 2
    server.service.reload()
    _, report, _ = ask(server, "GET", "/health/detailed")
    assert report["components"]["model"]["status"] == "degraded"
    assert "the newest model is refused" in report["components"]["model"]["detail"]
    assert decide(server, wrong())["outcome"] in {"valid", "invalid"}
    (folder / "model.onnx").write_bytes(whole)
    os.utime(folder / "serving.json", (1, 1))
    server.service.reload()
    assert server.service.refused == ""


def test_a_missing_folder_that_the_settings_name_is_refused(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    """The report names the folder; the service starts all the same, and takes the model when it comes."""
    folder = tmp_path / "model"
    server = started(model=folder)
    _, report, _ = ask(server, "GET", "/health/detailed")
    assert report["components"]["model"]["status"] == "degraded"
    assert "the newest model is refused" in report["components"]["model"]["detail"]
    assert str(folder) in report["components"]["model"]["detail"]
    shutil.copytree(model_folder(), folder)
    server.service.reload()
    assert server.service.refused == ""


def test_a_changed_model_of_the_same_size_and_time_is_noticed(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    """A copy may keep the time of its original, and two promotions may share a tick of the clock."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    described = folder / "serving.json"
    before = described.stat()
    server = started(model=folder)
    assert server.service.refused == ""
    described.write_bytes(b" " * before.st_size)
    os.utime(described, ns=(before.st_atime_ns, before.st_mtime_ns))
    server.service.reload()
    assert str(described) in server.service.refused
    shutil.copy2(model_folder() / "serving.json", tmp_path / "whole.json")
    (tmp_path / "whole.json").replace(described)
    server.service.reload()
    assert server.service.refused == ""


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"folder": null}', '{"folder": "nowhere"}'])
def test_a_damaged_pointer_to_the_champion_is_refused(
    started: Callable[..., Server], settings: Settings, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """The report names the file, the log does so once, and the model in use stays."""
    pointer = settings.runs / "champion.json"
    settings.runs.mkdir()
    whole = json.dumps({"folder": str(model_folder())})
    pointer.write_text(whole)
    server = started(model=None)
    pointer.write_text(content)
    caplog.clear()
    server.service.reload()
    server.service.reload()
    assert [record.levelname for record in caplog.records if str(pointer) in record.message] == ["ERROR"]
    _, report, _ = ask(server, "GET", "/health/detailed")
    model = report["components"]["model"]
    assert model["status"] == "degraded"
    assert f"the newest model is refused: {pointer}" in model["detail"]
    assert decide(server, wrong())["outcome"] in {"valid", "invalid"}
    pointer.write_text(whole)
    server.service.reload()
    assert server.service.refused == ""


def test_a_missing_champion_is_not_a_refused_one(started: Callable[..., Server], settings: Settings) -> None:
    """A service without a champion wargames; the one that was damaged and taken away is forgotten."""
    server = started(model=None)
    assert server.service.refused == ""
    (settings.runs / "champion.json").write_text("no JSON")
    server.service.reload()
    assert server.service.refused
    (settings.runs / "champion.json").unlink()
    server.service.reload()
    assert server.service.refused == ""


def test_metrics_count_what_happened_and_name_no_client(started: Callable[..., Server]) -> None:
    server = started(rate_limits="ml-first=2/600,validate=off,cache=off")
    decide(server, wrong())
    decide(server, wrong())
    assert ask(server, "POST", "/wargaming/ml-first", {"diff": wrong(), "vulnerability": FLAW})[0] == 429
    _, text, headers = ask(server, "GET", "/metrics")
    assert headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if k != "worker"))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def value(name: str, **labels: str) -> float:
        return samples[f"wargaming_{name}", tuple(sorted(labels.items()))]

    assert value("rate_limit_requests_total", endpoint="ml-first", result="allowed") == 2
    assert value("rate_limit_requests_total", endpoint="ml-first", result="rejected") == 1
    assert value("rate_limit_bucket_tokens", endpoint="ml-first") == 0
    assert value("request_latency_seconds_count", endpoint="ml-first", source="wargame") == 1
    assert value("request_latency_seconds_count", endpoint="ml-first", source="cache") == 1
    assert value("wargames_total", outcome="invalid", reason="exploit_survives") == 1
    assert value("circuit_breaker_state", breaker="sandbox", state="closed") == 1
    assert value("circuit_breaker_successes_total", breaker="ml_model") == 1
    assert value("requests_total", endpoint="ml-first", status="429") == 1
    assert (
        value("predictions_total", predicted="valid") + value("predictions_total", predicted="invalid") == 1
    )
    for wall in ("shield", "rate_limit", "gate"):
        assert value("middleware_latency_seconds_count", middleware=wall) >= 2
    assert "127.0.0.1" not in text


def test_a_full_line_of_wargames_turns_away_and_says_when_to_come_back(
    started: Callable[..., Server],
) -> None:
    """One is judged, one waits; nobody else is kept waiting, and everybody else is answered all the same."""
    server = started(wargames=1, wargame_line=1)

    def judge(number: int) -> tuple[int, Any, dict[str, str]]:
        wish = {"diff": wrong(number), "vulnerability": FLAW}
        return ask(server, "POST", "/wargaming/validate", wish)

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(judge, range(8)))
    away = [(problem, headers) for status, problem, headers in answers if status == 503]
    assert away
    assert {status for status, _, _ in answers} == {200, 503}
    for problem, headers in away:
        assert problem["retry_after"] == int(headers["retry-after"]) >= 1
    assert ask(server, "GET", "/wargaming/ml/stats")[1]["wargames_rejected"] == len(away)
    assert judge(9)[0] == 200


def test_the_form_of_the_model_that_answers_is_named(started: Callable[..., Server], tmp_path: Path) -> None:
    """In the stats and in the metrics, for each form that there is, and for none."""
    plain = tmp_path / "plain"
    shutil.copytree(model_folder(), plain)
    description = json.loads((plain / "serving.json").read_text())
    # As a variant is exported that ONNX Runtime does not take.
    (plain / "serving.json").write_text(json.dumps(description | {"sha256": ""}))
    fastest = predictor().form
    for changes, form in (
        ({}, fastest),
        ({"model": plain}, "numpy"),
        ({"model": Path("nowhere")}, None),
    ):
        server = started(**changes)
        assert ask(server, "GET", "/wargaming/ml/stats")[1]["form"] == form
        _, text, _ = ask(server, "GET", "/metrics")
        forms = re.findall(r'^wargaming_model_info\{[^}]*form="([^"]+)"[^}]*\} 1.0$', text, re.MULTILINE)
        assert forms == ([] if form is None else [form])


def test_several_servers_run_at_once_and_stop_clean(settings: Settings) -> None:
    before = threading.active_count()
    with serve(settings) as first, serve(settings) as second:
        assert first.port != second.port
        assert {ask(first, "GET", "/health")[0], ask(second, "GET", "/health")[0]} == {200}
    with pytest.raises(ConnectionError):
        ask(first, "GET", "/health")
    assert threading.active_count() <= before + 1


def test_wrong_settings_are_refused_before_anything_is_opened(settings: Settings) -> None:
    wrong_settings: list[tuple[dict[str, Any], str]] = [
        ({"host": "0.0.0.0"}, "CRISOL_API_TOKEN"),
        ({"allowed_hosts": "*"}, "CRISOL_ALLOWED_HOSTS"),
        ({"trusted_proxies": "10.0.0.0/99"}, "CRISOL_TRUSTED_PROXIES"),
        ({"rate_limits": "ml-first=fast"}, "CRISOL_RATE_LIMITS"),
        ({"rate_limits": "tea=1/60"}, "tea"),
        ({"accept_at": 0.1, "reject_at": 0.9}, "overlap"),
        ({"redis_url": "http://localhost"}, "REDIS_URL"),
    ]
    for changes, words in wrong_settings:
        with pytest.raises(SettingsError, match=words), serve(settings.model_copy(update=changes)):
            pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = settings.model_copy(update={"port": taken.getsockname()[1]})
        with pytest.raises(UnavailableError, match="PORT"), serve(busy):
            pass


def test_the_openapi_document_has_every_route_and_its_examples_work(started: Callable[..., Server]) -> None:
    server = started()
    _, document, _ = ask(server, "GET", "/openapi.json")
    assert all(
        "\n    " not in kind.get("description", "") for kind in document["components"]["schemas"].values()
    )
    assert {"/wargaming/validate", "/wargaming/ml/accuracy", "/health/detailed"} <= set(document["paths"])
    operation = document["paths"]["/wargaming/ml-first"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    status, answer, _ = ask(server, "POST", "/wargaming/ml-first", example)
    described = document["components"]["schemas"]["Answer"]
    assert (status, set(answer)) == (200, set(described["properties"]))
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        where, _, name = reference.rpartition("/")
        assert where == "#/components/schemas", reference
        assert name in document["components"]["schemas"], reference
