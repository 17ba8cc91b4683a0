"""The load generator: plans are seeded and bounded, figures are honest, targets decide."""

from __future__ import annotations

import asyncio
import json
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from crisol.errors import ExperimentError, SettingsError, UnavailableError
from crisol.loadtest import samples, study
from crisol.loadtest.crosscheck import cross_check, read_wrk
from crisol.loadtest.material import Item, Material, policy_leaving
from crisol.loadtest.pacer import Pacer
from crisol.loadtest.plan import LoadPlan, Loop, Shape, arrivals, mix, popularity
from crisol.loadtest.result import distribution, percentiles, timeline
from crisol.loadtest.run import Load, middleware_time
from crisol.loadtest.samples import Recorder
from crisol.loadtest.targets import TargetMissed, check, parse, parse_all, require
from crisol.loadtest.truth import wrong
from crisol.loadtest.wire import RESTS, Connection
from crisol.model.policy import Policy
from crisol.records import Source
from crisol.tracking.load_plots import latency_over_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
ITEM = Item("flaw", "CWE-22", "--- a/x\n", "invalid", "exploit_survives", 0.1, 0.9)
ANSWER = {
    "outcome": "valid", "source": "cache", "decided_by": "model", "reason": None, "probability": 0.9,
    "advisory": False, "degraded": [], "timings": {"total_ms": 0.1},
}  # fmt: skip


def test_arrivals_are_the_same_for_the_same_seed_and_in_order() -> None:
    for shape in Shape:
        first = arrivals(shape, rate=200.0, seconds=5.0, seed=3)
        assert np.array_equal(first, arrivals(shape, rate=200.0, seconds=5.0, seed=3))
        assert (np.diff(first) >= 0).all()
        assert first[0] >= 0.0
        assert first[-1] <= 5.0


def test_shapes_have_the_rates_that_they_promise() -> None:
    """Within five standard deviations of a Poisson count."""
    for shape, start, end, expected in (
        (Shape.POISSON, 0.0, 1.0, 10_000), (Shape.RAMP, 0.0, 1.0, 5_500), (Shape.RAMP, 0.9, 1.0, 955),
        (Shape.SPIKE, 0.4, 0.6, 10_000), (Shape.SPIKE, 0.0, 0.4, 4_000),
    ):  # fmt: skip
        at = arrivals(shape, rate=1_000.0, seconds=10.0, seed=1) / 10.0
        arrived = int(((at >= start) & (at < end)).sum())
        assert abs(arrived - expected) < 5 * expected**0.5, (shape, arrived)


def test_popularity_follows_zipf_and_is_seeded() -> None:
    chosen = popularity(50, 1.0, 100_000, 7)
    assert np.array_equal(chosen, popularity(50, 1.0, 100_000, 7))
    counts = np.sort(np.bincount(chosen, minlength=50))[::-1]
    assert counts[0] / counts[9] == pytest.approx(10.0, rel=0.15)
    alike = np.bincount(popularity(50, 0.0, 100_000, 7), minlength=50)
    assert alike.min() > 0.85 * alike.max()


@pytest.mark.parametrize(
    "change",
    [
        {"requests": 0}, {"requests": 10**9}, {"seconds": 1e9}, {"connections": 0}, {"warm_up": 1.0},
        {"mix": (("tea", 1.0),)}, {"mix": ()}, {"zipf": float("nan")},
        {"mix": mix(["validate=nan"])}, {"mix": mix(["validate=inf"])}, {"mix": mix(["validate=0"])},
        {"mix": (("validate", 1e308), ("ml-first", 1e308))},
        {"loop": Loop.OPEN, "rate": 90_000.0, "seconds": 3_000.0},
    ],
)  # fmt: skip
def test_a_load_without_bounds_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        LoadPlan(**change)  # type: ignore[arg-type]  # wrong on purpose


def test_a_wrong_profile_or_mix_is_named() -> None:
    with pytest.raises(SettingsError, match="share"):
        mix(["validate=much"])
    with pytest.raises(ExperimentError, match="storm"):
        study.plan(
            "storm", requests=1, rate=1, seconds=1, connections=1, sources=1, zipf=0, seed=0
        )  # fmt: skip


def test_load_goes_to_this_machine_alone() -> None:
    material = Material((ITEM,), Path(), Policy(0.8, 0.2))
    for url in ("http://10.0.0.1:80", "http://example.org", "http://192.168.1.1", "http://0.0.0.0:1"):
        with pytest.raises(SettingsError, match="loopback"):
            Load(url, material, LoadPlan())


def test_percentiles_are_latencies_that_were_measured() -> None:
    latency = percentiles(np.arange(1_000.0, 0.0, -1.0))
    assert [latency[f"p{p}_ms"] for p in ("50", "90", "95", "99", "99.9")] == [500, 900, 950, 990, 999]
    assert latency["max_ms"] == 1_000
    assert np.isnan(percentiles(np.array([]))["p50_ms"])
    drawn = distribution(np.arange(1.0, 101.0))
    assert drawn["latency_ms"].is_monotonic_increasing
    assert drawn["latency_ms"].iloc[-1] == 100.0


def test_windows_are_whole_and_what_is_left_belongs_to_the_last() -> None:
    """Ten a second for 4.3 seconds are ten a second in each of four windows, not three in a fifth."""
    samples = pd.DataFrame(
        {"intended": 100 + np.arange(44) / 10, "status": 200, "latency_ms": 1.0, "source": "cache"}
    )
    rows = timeline(samples, 1.0)
    assert rows["time"].tolist() == pytest.approx([0.5, 1.5, 2.5, 3.65])
    assert rows["throughput"].tolist() == pytest.approx([10, 10, 10, 10], rel=0.1)
    assert len(timeline(samples)) == 43
    assert len(timeline(samples.iloc[:1])) == 1


def test_the_shares_of_all_sources_sum_to_one() -> None:
    """Every good answer has a source, and each source has a share, also in each window of the timeline."""
    sources = ["untouched", *Source]
    with answering(
        lambda number, _: http(json.dumps(ANSWER | {"source": sources[number % 8]}).encode())
    ) as url:
        load = put_load(url, LoadPlan(requests=16, connections=1, warm_up=0.0)).result
    shares = {source: load.metrics[f"share_{source}"] for source in Source}
    assert shares == {source: 0.25 if source == "untouched" else 0.125 for source in Source}
    course = timeline(load.samples)
    assert course[list(Source)].sum(axis=1).tolist() == pytest.approx(course["throughput"].tolist())
    lower = latency_over_time(course).axes[-1]
    assert {text.get_text() for text in lower.get_legend().get_texts()} == {*Source, "failed"}


def test_a_target_is_met_or_missed_and_never_passes_unmeasured() -> None:
    metrics = {"p95_ms": 100.0, "errors": float("nan")}
    checked = check(parse_all(["p95_ms < 100", "p95_ms <= 100", "errors <= 1", "p95_ms > 99"]), metrics)
    assert [figure.passed for figure in checked] == [False, True, False, True]
    with pytest.raises(TargetMissed, match=r"p95_ms < 100 \(measured 100\)"):
        require(checked)
    assert TargetMissed.exit_code == 1
    require(checked[1:2])
    with pytest.raises(ExperimentError, match="nonsense"):
        check([parse("nonsense < 1")], metrics)
    for text in ("p95_ms", "p95_ms < fast", "< 1", "p95_ms ! 3", "p95_ms < 1.2.3"):
        with pytest.raises(ExperimentError, match="write a measure"):
            parse(text)


def test_thresholds_leave_the_wanted_share_unsure() -> None:
    probability = np.linspace(0.01, 0.99, 99)
    policy = policy_leaving(probability.tolist(), 0.2)
    assert policy.decides(probability).mean() == pytest.approx(0.8, abs=0.03)


def test_an_answer_is_wrong_where_it_differs_from_the_truth_of_its_source() -> None:
    base = {
        "status": 200, "which": 0, "garbled": False, "probability": 0.9, "decided_by": "wargame",
        "outcome": "invalid", "reason": "exploit_survives", "advisory": False, "degraded": "",
    }  # fmt: skip
    model = {"decided_by": "model", "outcome": "valid", "reason": ""}
    memory = {"decided_by": "memory", "outcome": "valid", "reason": ""}
    fallback = {
        "decided_by": "fallback",
        "outcome": "unknown",
        "reason": "",
        "advisory": True,
        "degraded": "sandbox",
    }
    right = [
        {}, model, {"probability": np.nan}, {"status": 503, "outcome": ""}, fallback,
        fallback | {"probability": np.nan}, {"reason": "variant_survives"}, {"reason": "breaks_function"},
        {"decided_by": "equivalent"}, {"decided_by": "untouched"}, memory,
        memory | {"outcome": "invalid"},
    ]  # fmt: skip
    bad = [
        {"outcome": "valid", "reason": ""}, {"reason": "timeout"}, model | {"outcome": "invalid"},
        model | {"probability": 0.8}, {"garbled": True}, fallback | {"outcome": "valid"},
        fallback | {"degraded": ""},
        fallback | {"advisory": False}, {"decided_by": ""}, {"decided_by": "equivalent", "outcome": "valid"},
        memory | {"outcome": "unknown"}, memory | {"advisory": True}, memory | {"probability": np.nan},
    ]  # fmt: skip
    frame = pd.DataFrame([base | change for change in [*right, *bad]])
    mask = wrong(frame, [("ml-first", ITEM)], Policy(0.8, 0.2))
    assert mask.tolist() == [False] * len(right) + [True] * len(bad)
    unsure = wrong(pd.DataFrame([base | model]), [("ml-first", ITEM)], Policy(0.95, 0.2))
    assert unsure.tolist() == [True]


@contextmanager
def answering(reply: Callable[[int, bytes], bytes | None], stall_at: float = 0.0) -> Iterator[str]:
    """Serve one reply for each read on loopback.

    ``None`` closes; all stand still once for ``stall_at`` seconds.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    count = iter(range(10**9))
    stalled = threading.Lock()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while received := connection.recv(1 << 16):
                number = next(count)
                if stall_at and number == 20:
                    with stalled:
                        time.sleep(stall_at)
                with stalled:
                    content = reply(number, received)
                if content is None:
                    return
                connection.sendall(content)

    def accept() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(accepted,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def http(content: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content)


def put_load(url: str, plan: LoadPlan) -> Load:
    load = Load(url, Material((ITEM,), Path(), Policy(0.8, 0.2)), plan)
    load.finish()
    return load


def test_a_stall_is_charged_from_the_intended_start() -> None:
    """A closed loop sees one slow answer; the open loop all that should have been asked meanwhile."""
    with answering(lambda *_: http(json.dumps(ANSWER).encode()), stall_at=0.5) as url:
        plan = LoadPlan(
            loop=Loop.OPEN, shape=Shape.CONSTANT, rate=100, seconds=1.5, connections=4, warm_up=0.0
        )
        measured = put_load(url, plan).result.metrics
    assert measured["errors"] == 0
    assert measured["requests"] == 150
    assert measured["p90_ms"] > 250
    assert measured["wrong_answers"] == 0


def test_a_closed_loop_asks_no_more_after_its_time_and_waits_for_what_it_asked() -> None:
    def late(*_: object) -> bytes:
        time.sleep(0.05)
        return http(json.dumps(ANSWER).encode())

    with answering(late) as url:
        measured = put_load(
            url, LoadPlan(requests=10_000, seconds=0.5, connections=4, warm_up=0.0)
        ).result.metrics
    assert 4 <= measured["requests"] <= 40
    assert measured["errors"] == 0


def test_the_time_in_the_middleware_is_that_of_a_request_and_not_of_a_layer() -> None:
    """Three layers measure each request, so all their counts make the mean three times too small."""
    name = "wargaming_middleware_latency_seconds"
    layers = {"shield": 0.1, "rate_limit": 0.2, "gate": 0.3}
    lines = [f"# TYPE {name} histogram"]
    for layer, seconds in layers.items():
        lines += [f'{name}_count{{middleware="{layer}"}} 10', f'{name}_sum{{middleware="{layer}"}} {seconds}']
    body = "\n".join([*lines, ""]).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
    with answering(lambda *_: head + body) as url:
        seconds, requests = middleware_time(url)
    assert (round(seconds, 6), requests) == (0.6, 10)


def test_failures_are_counted_by_kind_and_the_client_ends() -> None:
    """Refusals, closed connections, answers that are none, and answers that never come."""
    ok = http(json.dumps(ANSWER).encode())
    replies = {
        1: http(b"{}", 503),
        2: None,
        3: b"nonsense\r\n\r\n",
        4: http(b"not json"),
        5: b"HTTP/1.1 200 X\r\n",
    }
    with answering(lambda number, _: replies.get(number % 6, ok)) as url:
        plan = LoadPlan(requests=60, connections=3, warm_up=0.0, timeout=0.3)
        load = put_load(url, plan)
    assert set(load.result.errors) == {"HTTP 503", "reset", "bad_answer", "timeout"}
    assert load.result.metrics["requests"] == 60
    assert load.result.metrics["wrong_answers"] > 0
    assert {"throughput", "errors"} <= set(timeline(load.result.samples).columns)
    refused = put_load(url, LoadPlan(requests=5, warm_up=0.0)).result
    assert refused.errors == {"refused": 5}


def test_moments_are_handed_out_in_order_and_none_before_its_time() -> None:
    """Those that are past at once; those that are close share a wake-up."""
    begin = time.monotonic()
    moments = [
        begin - 1.0,
        begin - 0.5,
        *(begin + 0.01 + 1e-5 * number for number in range(100)),
        begin + 0.03,
    ]
    seen, wakes = [], 0
    with Pacer(moments) as pacer:
        while not pacer.empty:
            assert select.select([pacer.fd], [], [], 10.0)[0]
            now = time.monotonic()
            wakes += 1
            for moment in pacer.due(now):
                assert moment <= now
                seen.append(moment)
        assert not select.select([pacer.fd], [], [], 0.0)[0]
    assert seen == moments
    assert wakes < 20
    assert time.monotonic() >= moments[-1]


class Heard(asyncio.Transport):
    """Owner and transport of a connection at once: keeps what either is told."""

    def __init__(self) -> None:
        super().__init__()
        self.samples = Recorder([0])
        self.answers: list[tuple[int, bytes]] = []
        self.errors: dict[int, str] = {}
        self.closing = False

    def write(self, data: object) -> None:
        """Nothing is sent."""

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def answered(self, connection: Connection, at: int, now: float, status: int, body: bytes) -> None:
        assert connection.at == RESTS
        assert now >= self.samples.sent[at]
        self.answers.append((status, body))

    def failed(self, at: int, error: str) -> None:
        self.errors[at] = error

    def lost(self, connection: Connection) -> None:
        """Nobody waits."""


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
@pytest.mark.parametrize(
    ("last", "closes"),
    [
        (b"", False),
        (b"CONNECTION: close\r\n", True),
        (b"Connection: Close\r\n", True),
        (b"Connection:close\r\n", True),
        (b"connection: cLOSe\r\n", True),
        (b"Connection: TE, close\r\n", True),
        (b"Connection: enclosed\r\n", False),
        (b"x: closed\r\n", False),
    ],
)
def test_an_answer_is_read_in_whatever_pieces_and_spelling_it_comes(
    name: bytes, last: bytes, closes: bool
) -> None:
    """And a connection of which the server says that it closes is asked nothing more."""
    whole = b"HTTP/1.1 200 OK\r\n" + name + b":  5 \r\n" + last + b"\r\nhello"
    for cut in range(1, len(whole)):
        heard = Heard()
        connection = Connection(heard)
        connection.connection_made(heard)
        connection.send(0, b"")
        connection.data_received(whole[:cut])
        assert not heard.answers
        connection.data_received(whole[cut:])
        assert heard.answers == [(200, b"hello")]
        assert connection.ready is not closes


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 X\r\nContent-Length: 0",
        b"HTTP/1.1 two",
        b"HTTP/1.1 200 X\r\nContent-Length: -1",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_with_a_length_ends_the_connection(head: bytes) -> None:
    heard = Heard()
    connection = Connection(heard)
    connection.connection_made(heard)
    connection.send(0, b"")
    connection.data_received(head + (b"" if head.startswith(b"x") else b"\r\n\r\n"))
    assert heard.closing
    connection.connection_lost(None)
    assert (heard.answers, heard.errors) == ([], {0: "bad_answer"})


def test_what_was_taken_down_is_read_back_and_nonsense_is_garbled(tmp_path: Path) -> None:
    """Each kind of answer, one that is none, a failure, and one that never began."""
    taken = Recorder([3, 4, 5, 6, 7, 8])
    strange = ANSWER | {"outcome": "perhaps"}
    degraded = ANSWER | {"degraded": ["sandbox", "memory"], "advisory": True, "probability": None}
    degraded |= {"outcome": "unknown", "source": "fallback", "decided_by": "fallback"}
    for at, answer in enumerate((ANSWER, degraded, strange, ["no answer"])):
        taken.intended[at] = taken.sent[at] = 1.0
        taken.answered(at, 2.0, 200, json.dumps(answer).encode())
    taken.intended[4] = 1.0
    taken.failed(4, "timeout")
    taken.save(tmp_path / "samples.npz", cpu=0.5, wall=1.0)
    frame, cpu = samples.load_samples(tmp_path / "samples.npz")
    assert (cpu, taken.done, taken.failures) == (0.5, 4, 1)
    assert frame["which"].tolist() == [3, 4, 5, 6, 7]
    assert frame["status"].tolist() == [200, 200, 200, 200, 0]
    assert frame["garbled"].tolist() == [False, False, True, True, False]
    assert frame["degraded"].tolist() == ["", "sandbox,memory", "", "", ""]
    assert frame["error"].tolist() == ["", "", "", "", "timeout"]
    assert frame["decided_by"].tolist() == ["model", "fallback", "model", "", ""]
    assert frame["outcome"].tolist()[1] == "unknown"
    assert frame["probability"].isna().tolist() == [False, True, False, True, True]


WRK = """Running 3s test @ http://127.0.0.1:1/wargaming/ml-first
  Latency Distribution
     50%    1.50ms
     75%    2.00ms
     90%  900.00us
     99%    1.10s
  4000 requests in 3.00s, 3.10MB read
  Socket errors: connect 0, read 1, write 0, timeout 3
  Non-2xx or 3xx responses: 36
Requests/sec:   1333.33
"""


def test_wrk_is_read_in_its_units_and_counts_every_kind_of_error() -> None:
    figures = read_wrk(WRK)
    assert (figures["p50_ms"], figures["p90_ms"], figures["p99_ms"]) == (1.5, 0.9, 1_100.0)
    assert (figures["throughput"], figures["errors"]) == (1_333.33, 0.01)
    with pytest.raises(UnavailableError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:1 Connection refused")


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_and_our_client_ask_for_the_same() -> None:
    """Bodies with every kind of byte arrive as they are, and both tables have their figures side by side."""
    item = replace(ITEM, diff='--- a/"x"\\n\n+++ \u00e9\0]]\n')
    seen: set[bytes] = set()

    def reply(_: int, content: bytes) -> bytes:
        seen.add(content.partition(b"\r\n\r\n")[2])
        return http(json.dumps(ANSWER).encode())

    with answering(reply) as url:
        clients = cross_check(url, Material((item,), Path(), Policy(0.8, 0.2)), LoadPlan(connections=2), 1.0)
    assert clients["client"].tolist() == ["crisol", "wrk", "ratio"]
    assert (clients["throughput"] > 0).all()
    assert clients["errors"].iloc[:2].tolist() == [0.0, 0.0]
    # Our own run asks for the metrics, without a body.
    assert seen - {b""} == {item.body}


@pytest.mark.integration
def test_the_command_fails_where_a_target_is_missed() -> None:
    """A target that nothing can reach beside those that always hold."""
    command = [
        sys.executable,
        "-m",
        "crisol",
        "loadtest",
        "--requests",
        "200",
        "--json",
        "--target",
        "p50_ms < 0",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "TargetMissed" in done.stderr
    document = json.loads(done.stdout)
    assert "p50_ms < 0" in document["missed"]
    assert document["errors"] == {}
    assert document["metrics"]["wrong_answers"] == 0
