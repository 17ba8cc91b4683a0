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

    Counters and histograms are summed over the workers; a gauge stays one series for each worker.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    """The family is of one worker and also carries the label ``worker``."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its name with the prefix ``wargaming_``, its kind and its help text.

    ``labels`` are the names of its labels; empty means one series without labels. ``bounds`` are the
    inclusive upper edges of a histogram's buckets, ascending and without infinity; empty for other kinds.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {}
"""All of them by name; dashboards and alerts are checked against it."""


def _family(name: str, kind: MetricKind, help_: str, *labels: str, bounds: tuple[float, ...] = ()) -> Family:
    family = Family(f"wargaming_{name}", kind, help_, labels, bounds)
    FAMILIES[family.name] = family
    return family


_C, _G, _H = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM
_MICRO = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)
_ANSWER = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RATE_LIMITS = _family("rate_limit_requests_total", _C, "Decisions of the limiter.", "endpoint", "result")
BUCKET_TOKENS = _family(
    "rate_limit_bucket_tokens", _G, "Tokens left to the client of the last request.", "endpoint"
)
BUCKET_FILL = _family("rate_limit_bucket_fill_percentage", _G, "The same, of a full bucket.", "endpoint")
LIMIT_SHARE = _family(
    "rate_limit_adaptive_share", _G, "The share of its rate that a client is granted now.", "endpoint"
)
BREAKER_STATE = _family(
    "circuit_breaker_state",
    _G,
    "1 for the state that the breaker is in, 0 for the others.",
    "breaker",
    "state",
)
BREAKER_FAILURES = _family(
    "circuit_breaker_failures_total", _C, "Calls that failed.", "breaker", "failure_type"
)
BREAKER_SUCCESSES = _family("circuit_breaker_successes_total", _C, "Calls that succeeded.", "breaker")
BREAKER_REJECTIONS = _family("circuit_breaker_rejections_total", _C, "Calls held back.", "breaker")
BREAKER_RECOVERIES = _family(
    "circuit_breaker_recovery_attempts_total", _C, "Half-open periods that ended.", "breaker", "result"
)
MIDDLEWARE = _family(
    "middleware_latency_seconds",
    _H,
    "Spent in a wall itself; in the gate, on waiting for the body, too.",
    "middleware",
    bounds=_MICRO,
)
LATENCY = _family(
    "request_latency_seconds",
    _H,
    "From head to answer, by who answered.",
    "endpoint",
    "source",
    bounds=_ANSWER,
)
REQUESTS = _family("requests_total", _C, "Answers.", "endpoint", "status")
CACHE_LOOKUPS = _family("cache_lookups_total", _C, "Lookups in the cache.", "kind", "result")
CACHE_ENTRIES = _family("cache_entries", _G, "Entries in this process.", "kind")
CACHE_BYTES = _family("cache_bytes", _G, "Bytes of entries in this process.", "kind")
PREDICTIONS = _family(
    "predictions_total", _C, "Fresh predictions, by the class that is likelier.", "predicted"
)
CONFIDENCE = _family(
    "prediction_confidence",
    _H,
    "Confidence of fresh predictions.",
    bounds=(0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
)
WARGAMES = _family("wargames_total", _C, "Verdicts that answered a request.", "outcome", "reason")
WARGAME_SECONDS = _family("wargame_seconds", _H, "What those wargames took.", bounds=_ANSWER)
QUEUE = _family("wargame_queue", _G, "Wargames by where they are.", "place")
SANDBOXES = _family("sandboxes_open", _G, "Sandboxes kept open.")
RUNG_OFF = _family("rung_off", _G, "1 for a rung that broke its promise and does not decide.", "rung")
SHADOW_DROPPED = _family("shadow_dropped_total", _C, "Sampled patches that found the queue full.")
TRIALS = _family("trials_total", _C, "Trials by where they went.", "place")
JOURNAL = _family("journal_bytes", _G, "Trials on disk that wait for the store.")
ACCURACY = _family("model_accuracy", _G, "Weighted accuracy over 24 h, with its 95 % interval.", "bound")
FALSE_ACCEPTS = _family(
    "model_false_accept_rate", _G, "Share of wrong patches that the model accepts, over 24 h.", "bound"
)
MODEL = _family(
    "model_info",
    _G,
    "1 for the model in use, and for what computes its answers.",
    "model_version",
    "feature_version",
    "form",
)
DEGRADED = _family("degraded_answers_total", _C, "Answers that lacked something.", "dependency")
MEMORY = _family("process_resident_bytes", _G, "Resident memory of a worker.")
CPU = _family("process_cpu_seconds_total", _C, "CPU time of the workers.")
STARTED = _family("process_start_seconds", _G, "When a worker started, since the epoch.")
