"""Every metric family: its name, its meaning and its labels.

No label holds a value that a client chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ACCURACY",
    "BREAKER_FAILURES",
    "BREAKER_RECOVERIES",
    "BREAKER_REJECTIONS",
    "BREAKER_STATE",
    "BREAKER_SUCCESSES",
    "BUCKET_FILL",
    "BUCKET_TOKENS",
    "CACHE_BYTES",
    "CACHE_ENTRIES",
    "CACHE_LOOKUPS",
    "CONFIDENCE",
    "CPU",
    "DEGRADED",
    "FALSE_ACCEPTS",
    "FAMILIES",
    "JOURNAL",
    "LATENCY",
    "LIMIT_SHARE",
    "MEMORY",
    "MIDDLEWARE",
    "MODEL",
    "PREDICTIONS",
    "QUEUE",
    "RATE_LIMITS",
    "REQUESTS",
    "RUNG_OFF",
    "SANDBOXES",
    "SHADOW_DROPPED",
    "STARTED",
    "TRIALS",
    "WARGAMES",
    "WARGAME_SECONDS",
    "Family",
    "MetricKind",
]


class MetricKind(StrEnum):
    """The kind of a metric family: counter, gauge or histogram.

    Counters and histograms are exported as sums over the workers; a gauge is exported once for each worker.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    """The family is of one worker and also carries the label ``worker``."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: ``name`` begins with ``wargaming_``, and ``help`` explains the metric.

    ``kind`` is its :class:`MetricKind`. ``labels`` are the names of its labels. The family has one metric for
    each tuple of label values that occurs; a family without labels has a single metric. ``bounds`` are the
    upper edges of a histogram's buckets, inclusive, ascending and without infinity; empty for counters and
    gauges. Only the families in :data:`FAMILIES` are exported.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {}
"""All metric families by name; the tests compare dashboards and alerts with it."""


def _family(name: str, kind: MetricKind, help_: str, *labels: str, bounds: tuple[float, ...] = ()) -> Family:
    family = Family(f"wargaming_{name}", kind, help_, labels, bounds)
    FAMILIES[family.name] = family
    return family


_C, _G, _H = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM
_MICRO = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)
_ANSWER = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RATE_LIMITS = _family(
    "rate_limit_requests_total",
    _C,
    "Requests that the rate limiter allowed or rejected; counted when the request is answered.",
    "endpoint",
    "result",
)
BUCKET_TOKENS = _family(
    "rate_limit_bucket_tokens",
    _G,
    "Tokens left in the bucket of the client that asked last; set by each request that is limited.",
    "endpoint",
)
BUCKET_FILL = _family(
    "rate_limit_bucket_fill_percentage",
    _G,
    "Percentage of the full bucket that is left to the client that asked last; set by each limited request.",
    "endpoint",
)
LIMIT_SHARE = _family(
    "rate_limit_adaptive_share",
    _G,
    "Share of its configured rate, from 0 to 1, that a client is granted now; falls while answers are slow.",
    "endpoint",
)
BREAKER_STATE = _family(
    "circuit_breaker_state",
    _G,
    "State of the circuit breaker: 1 for the state that it is in, 0 for each other state.",
    "breaker",
    "state",
)
BREAKER_FAILURES = _family(
    "circuit_breaker_failures_total",
    _C,
    "Calls through the circuit breaker that failed, by an error or a time-out; counted when the call ends.",
    "breaker",
    "failure_type",
)
BREAKER_SUCCESSES = _family(
    "circuit_breaker_successes_total",
    _C,
    "Calls through the circuit breaker that succeeded; counted when the call ends.",
    "breaker",
)
BREAKER_REJECTIONS = _family(
    "circuit_breaker_rejections_total",
    _C,
    "Calls that the circuit breaker did not let through because it was open.",
    "breaker",
)
BREAKER_RECOVERIES = _family(
    "circuit_breaker_recovery_attempts_total",
    _C,
    "Half-open periods of the circuit breaker; counted when one ends, as success (closed) or failure (open).",
    "breaker",
    "result",
)
MIDDLEWARE = _family(
    "middleware_latency_seconds",
    _H,
    "Seconds that a request spent in one middleware, without what lies behind it; the gate's include the "
    "wait for the body.",
    "middleware",
    bounds=_MICRO,
)
LATENCY = _family(
    "request_latency_seconds",
    _H,
    "Seconds from the complete body to the answer of a request that was decided, by who decided.",
    "endpoint",
    "source",
    bounds=_ANSWER,
)
REQUESTS = _family(
    "requests_total",
    _C,
    "HTTP requests by status; counted when the answer is out (status 0: the client left before).",
    "endpoint",
    "status",
)
CACHE_LOOKUPS = _family(
    "cache_lookups_total",
    _C,
    "Look-ups in the cache by result: hits in this process, shared_hits in Redis, misses, errors of Redis, "
    "corrupt entries.",
    "kind",
    "result",
)
CACHE_ENTRIES = _family(
    "cache_entries", _G, "Entries that the cache of this process holds now, by kind of record.", "kind"
)
CACHE_BYTES = _family(
    "cache_bytes",
    _G,
    "Bytes of the entries that the cache of this process holds now, an estimate with their overhead.",
    "kind",
)
PREDICTIONS = _family(
    "predictions_total",
    _C,
    "Predictions that the model computed for an answer, by the likelier class; answers of the cache add "
    "none.",
    "predicted",
)
CONFIDENCE = _family(
    "prediction_confidence",
    _H,
    "Confidence, from 0.5 to 1, of each prediction that the model computed for an answer.",
    bounds=(0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
)
WARGAMES = _family(
    "wargames_total",
    _C,
    "Verdicts of wargames that answered a request, by outcome and reason; answers of the cache add none.",
    "outcome",
    "reason",
)
WARGAME_SECONDS = _family(
    "wargame_seconds", _H, "Seconds that each wargame took which answered a request.", bounds=_ANSWER
)
QUEUE = _family(
    "wargame_queue",
    _G,
    "Wargames now: waiting for a free place, running, or sampled for A/B testing and waiting (shadow).",
    "place",
)
SANDBOXES = _family(
    "sandboxes_open", _G, "Sandboxes that are kept open now, each with one vulnerability's release loaded."
)
RUNG_OFF = _family(
    "rung_off",
    _G,
    "Rungs of the ladder: 1 for one that broke its promise and therefore does not decide, else 0.",
    "rung",
)
SHADOW_DROPPED = _family(
    "shadow_dropped_total",
    _C,
    "Patches sampled for A/B testing that were dropped because the queue of sampled wargames was full.",
)
TRIALS = _family(
    "trials_total",
    _C,
    "A/B trials: stored in the database, journaled (on disk because the database failed), or lost.",
    "place",
)
JOURNAL = _family(
    "journal_bytes", _G, "Bytes of A/B trials in the journal on disk that wait for the database now."
)
ACCURACY = _family(
    "model_accuracy",
    _G,
    "Weighted accuracy of the model in the trials of the last 24 hours, with the bounds of its 95 % "
    "interval; set every ten seconds.",
    "bound",
)
FALSE_ACCEPTS = _family(
    "model_false_accept_rate",
    _G,
    "Share of wrong patches that the model accepts in the trials of the last 24 hours, with the bounds "
    "of its 95 % interval; set every ten seconds.",
    "bound",
)
MODEL = _family(
    "model_info",
    _G,
    "Models that this worker has used: 1 for the one in use, 0 for the others; form is what computes it.",
    "model_version",
    "feature_version",
    "form",
)
DEGRADED = _family(
    "degraded_answers_total",
    _C,
    "Fresh answers that were given without a dependency that was unavailable, by its name.",
    "dependency",
)
MEMORY = _family("process_resident_bytes", _G, "Bytes of resident memory of a worker process now.")
CPU = _family(
    "process_cpu_seconds_total", _C, "Seconds of processor time that the worker processes have used."
)
STARTED = _family(
    "process_start_seconds", _G, "Time at which a worker process started, in seconds since the epoch."
)
