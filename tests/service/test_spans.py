"""Spans as a collector receives them: real OTLP over HTTP, decoded from what the exporter sent."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from crisol.service.embedded import serve
from support.http import ask, decide
from support.served import FLAW, foreign, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crisol.config import Settings
    from crisol.service.embedded import Server

pytestmark = pytest.mark.integration
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes spans on a free port of this machine, and keeps them."""

    def __init__(self) -> None:
        collector = self
        self.spans: list[Any] = []
        self.services: set[str] = set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if self.headers["content-encoding"] == "gzip":
                    content = gzip.decompress(content)
                request = ExportTraceServiceRequest.FromString(content)
                for resource in request.resource_spans:
                    about = {
                        attribute.key: attribute.value.string_value
                        for attribute in resource.resource.attributes
                    }
                    collector.services.add(about["service.name"])
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def about(span: Any) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {
        attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value"))
        for attribute in span.attributes
    }


def sent(
    settings: Settings, collector: Collector, use: Callable[[Server], None], **changes: Any
) -> list[Any]:
    """Return the spans of what ``use`` asks a service, which sends what is left when it stops."""
    changes |= {"otel_exporter_otlp_endpoint": collector.url}
    with serve(settings.model_copy(update=changes)) as server:
        use(server)
    return collector.spans


def test_a_request_and_what_it_caused_are_one_trace(settings: Settings, collector: Collector) -> None:
    """The caller's trace goes on.

    Its span, then the request's, then model and wargame, whose phases are within it.
    """
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    answered: list[dict[str, str]] = []

    def use(server: Server) -> None:
        wish = {"diff": wrong(), "vulnerability": FLAW}
        answered.extend(ask(server, "POST", "/wargaming/ml-first", wish, parent)[2] for _ in range(2))

    spans = sent(settings, collector, use)
    assert collector.services == {"crisol"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    requests = [span for span in spans if span.parent_span_id.hex() == PARENT]
    assert [(span.name, about(span)["crisol.source"]) for span in requests] == [
        ("ml-first", "wargame"),
        ("ml-first", "cache"),
    ]
    for span, headers in zip(requests, answered, strict=True):
        assert headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
        assert (about(span)["crisol.outcome"], about(span)["crisol.vulnerability.known"]) == ("invalid", True)
        assert about(span)["http.response.status_code"] == 200
    fresh, again = (
        [span for span in spans if span.parent_span_id == request.span_id] for request in requests
    )
    assert {span.name for span in fresh} == {"model", "wargame"}
    assert {span.name for span in again} == {"cache"}
    (wargame,) = (span for span in fresh if span.name == "wargame")
    assert about(wargame)["crisol.reason"] == "exploit_survives"
    phases = [span for span in spans if span.parent_span_id == wargame.span_id]
    assert [phase.name for phase in phases][:2] == ["baseline", "apply"]
    for inner, outer in [(span, requests[0]) for span in fresh] + [(span, wargame) for span in phases]:
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano
        assert inner.end_time_unix_nano <= outer.end_time_unix_nano


def test_a_caller_who_keeps_no_trace_and_a_share_of_zero_send_nothing(
    settings: Settings, collector: Collector
) -> None:
    """Where traces that begin here are kept, answers say so, errors among them."""

    def quiet(server: Server) -> None:
        ask(server, "GET", "/health")
        ask(server, "GET", "/health", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})

    assert sent(settings, collector, quiet, otel_traces_sampler_arg=0.0) == []

    def loud(server: Server) -> None:
        assert ask(server, "POST", "/wargaming/ml-first", {"diff": "none"})[2]["traceparent"].endswith("-01")
        decide(server, foreign(), "CVE-1999-0001")

    spans = sent(settings, collector, loud)
    roots = [span for span in spans if not span.parent_span_id]
    assert [about(span)["http.response.status_code"] for span in roots] == [422, 200]
    assert about(roots[1])["crisol.vulnerability.known"] is False
    assert roots[0].trace_id != roots[1].trace_id


def test_a_collector_that_is_away_costs_nothing_but_spans(settings: Settings) -> None:
    """Neither an answer nor the end of the service waits for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = {"otel_exporter_otlp_endpoint": f"http://127.0.0.1:{probe.getsockname()[1]}"}
        start = time.monotonic()
        with serve(settings.model_copy(update=away)) as server:
            for number in range(50):
                decide(server, foreign(number), None)
        assert time.monotonic() - start < 6


def test_who_sends_no_spans_does_not_load_what_makes_them() -> None:
    code = "import sys, crisol.service.app; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_collector_without_the_packages_that_send_to_it_is_refused(tmp_path: Path) -> None:
    """Without its packages the service runs, but it does not start where spans are wanted."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from crisol.config import load_settings\nfrom crisol.service.embedded import serve\n"
        "serve(load_settings()).__enter__()"
    )
    wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "CRISOL_ROOT": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**wanted, "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode
    assert "SettingsError: OTEL_EXPORTER_OTLP_ENDPOINT" in done.stderr
    assert "extra otel" in done.stderr


def test_a_service_does_not_load_what_only_training_and_reports_need() -> None:
    """They would double its memory and the seconds until its first answer."""
    code = (
        "import sys, crisol.service.app, crisol.cli.serve; "
        "names = {'sklearn', 'scipy', 'pandas', 'lightgbm', 'mlflow', 'matplotlib', 'skops'}; "
        "print(sorted(names & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip() == "[]"
    )
