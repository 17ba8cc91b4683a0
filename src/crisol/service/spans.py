"""Trace spans for OpenTelemetry, sent by OTLP over HTTP.

The spans of a request are made after its answer, from durations that the service measures for its metrics
anyway, so tracing does not slow the request down. The durations are exact. The start of a child span is not
measured but inferred: the cache or the model comes first; the wargame comes last, and its phases follow each
other without a gap.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisol.records import Verdict
    from crisol.service.exchange import Exchange
    from crisol.service.trace import Trace
    from crisol.validation.validator import Validated

__all__ = ["Spans", "open_spans"]

_KEPT = TraceFlags(TraceFlags.SAMPLED)
_STOP_SECONDS = 1.0
_bits = random.Random().getrandbits


@contextmanager
def open_spans(endpoint: str) -> Iterator[Spans]:
    """Return a context manager that yields a :class:`Spans`; a thread sends its spans to a collector.

    ``endpoint`` is the base URL of an OpenTelemetry collector, such as ``http://host:4318``. OpenTelemetry
    reads further settings from the environment variables ``OTEL_*``. If the collector does not answer, spans
    are lost without an error.
    """
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    processor = BatchSpanProcessor(exporter)
    try:
        yield Spans(processor.on_end)
    finally:
        # It would retry an absent collector for ten more seconds, too long for the end of a service.
        impatience = threading.Timer(_STOP_SECONDS, exporter.shutdown)
        impatience.start()
        processor.shutdown()  # type: ignore[no-untyped-call]  # theirs
        impatience.cancel()


class Spans:
    """A recorder of requests: it makes their OpenTelemetry spans, and calls ``send(span)`` with each span."""

    def __init__(self, send: Callable[[ReadableSpan], None]) -> None:
        self._send = send
        self._resource = Resource({"service.name": "crisol"}).merge(OTELResourceDetector().detect())

    def record(self, method: str, exchange: Exchange, endpoint: str, seconds: float) -> None:
        """Send the span of a finished request, and a child span for each step that answered it.

        ``method`` is the HTTP method. ``endpoint`` is the short name of the route, such as ``ml-first``, or
        ``other``; it names the span. ``exchange`` is the record of the request, and ``seconds`` its duration.
        The steps are the cache alone, or the model, the wargame and the phases of the wargame; a step that
        did not take place has no span.
        """
        trace, validated = exchange.trace, exchange.validated
        end = time.time_ns()
        start = end - _ns(seconds)
        about: dict[str, Any] = {
            "http.request.method": method,
            "http.response.status_code": exchange.status,
            "crisol.request_id": exchange.request_id,
        }
        own = int(trace.span, 16)
        if validated is not None:
            about["crisol.source"] = "cache" if validated.cached else validated.decision.source.value
            about["crisol.outcome"] = validated.decision.outcome or "unknown"
            about["crisol.vulnerability.known"] = validated.pattern is not None
            about["crisol.degraded"] = validated.decision.degraded
            self._inside(trace, validated, max(end - _ns(exchange.inside_seconds), start), end, own)
        self._make(trace, endpoint, (start, end), about, parent=int(trace.parent, 16), own=own)

    def _inside(self, trace: Trace, validated: Validated, start: int, end: int, parent: int) -> None:
        prediction, verdict = validated.decision.prediction, validated.decision.verdict
        if validated.cached:
            self._make(trace, "cache", (start, end), {}, parent=parent)
            return
        if prediction is not None:
            about = {
                "crisol.model_version": prediction.model_version,
                "crisol.probability": prediction.probability,
            }
            self._make(trace, "model", (start, start + _ns(prediction.seconds)), about, parent=parent)
        # A verdict that took longer than this request was made for an earlier one.
        if verdict is not None and _ns(verdict.seconds) <= end - start:
            self._wargame(trace, verdict, end, parent)

    def _wargame(self, trace: Trace, verdict: Verdict, end: int, parent: int) -> None:
        start = end - _ns(verdict.seconds)
        about = {"crisol.reason": verdict.reason or "", "crisol.sandbox": verdict.sandbox}
        own = self._make(trace, "wargame", (start, end), about, parent=parent)
        for phase in verdict.phases:
            stop = start + _ns(phase.seconds)
            self._make(
                trace, phase.name.value, (start, stop), {"crisol.reason": phase.reason or ""}, parent=own
            )
            start = stop

    def _make(
        self,
        trace: Trace,
        name: str,
        times: tuple[int, int],
        about: dict[str, Any],
        *,
        parent: int,
        own: int = 0,
    ) -> int:
        """Make a span, send it and return its id.

        ``times`` is (start, end) in nanoseconds since 1970; ``parent`` is the id of the parent span, 0 for
        none. Only the span of the request itself is given its id ``own``; its parent span belongs to the
        caller.
        """
        id_, trace_id = own or _bits(64), int(trace.id, 16)
        span = ReadableSpan(
            name,
            SpanContext(trace_id, id_, is_remote=False, trace_flags=_KEPT),
            SpanContext(trace_id, parent, is_remote=bool(own), trace_flags=_KEPT) if parent else None,
            self._resource,
            about,
            kind=SpanKind.SERVER if own else SpanKind.INTERNAL,
            start_time=times[0],
            end_time=times[1],
        )
        self._send(span)
        return id_


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
