"""The metrics of a service: counts of requests, and values that are read from the objects of the service."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crisol.abtest.confusion import metrics as estimates
from crisol.abtest.rungs import PROMISED
from crisol.abtest.store import TrialFilter, utc_now
from crisol.abtest.tally import Tally
from crisol.errors import CrisolError
from crisol.metrics import Metrics, names
from crisol.resilience.breaker import State
from crisol.service.limits import RATES, route
from crisol.service.sampling import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisol.abtest.confusion import Estimate
    from crisol.metrics import Counter, Histogram
    from crisol.records import Source
    from crisol.resilience.adaptive import AdaptiveShare
    from crisol.resilience.bucket import BucketDecision
    from crisol.resilience.guard import CircuitBreaker
    from crisol.service.asgi import Scope
    from crisol.service.core import Service
    from crisol.service.exchange import Exchange
    from crisol.service.spans import Spans
    from crisol.validation.validator import Validated

__all__ = ["Instruments"]

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FIXED = {"/health": "health", "/health/detailed": "health", "/metrics": "metrics", "/": "page"}


class Instruments:
    """The Prometheus metrics and the trace spans of one worker.

    ``service`` is the worker's service. ``shares`` maps the name of each adaptive rate limit to its
    :class:`~crisol.resilience.adaptive.AdaptiveShare`, which :meth:`record` adapts by the durations of
    answers. ``spans`` sends trace spans; None sends none.
    """

    def __init__(
        self,
        service: Service,
        shares: Mapping[str, AdaptiveShare] | None = None,
        spans: Spans | None = None,
    ) -> None:
        settings = service.settings
        self.metrics = Metrics(settings.metrics, worker=str(os.getpid()))
        self._service = service
        self._shares = dict(shares or {})
        self._spans = spans
        self._requests: dict[tuple[str, int], Counter] = {}
        self._answers: dict[tuple[str, str], Histogram] = {}
        counter = self.metrics.counter
        self._limits = {
            (name, allowed): counter(names.RATE_LIMITS, name, "allowed" if allowed else "rejected")
            for name in RATES
            for allowed in (True, False)
        }
        self._decided: dict[str, BucketDecision] = {}
        self._predicted = {
            True: counter(names.PREDICTIONS, "valid"),
            False: counter(names.PREDICTIONS, "invalid"),
        }
        self._confidence = self.metrics.histogram(names.CONFIDENCE)
        self._wargame_seconds = self.metrics.histogram(names.WARGAME_SECONDS)
        self._shield, self._limiter, self._gate = (
            self.metrics.histogram(names.MIDDLEWARE, name) for name in ("shield", "rate_limit", "gate")
        )
        self._estimates: dict[tuple[str, str], float] = {}
        self._kinds: set[str] = set()
        self._models: set[tuple[str, str, str]] = set()
        self._watch_all(service)
        service.on_refresh.append(self.refresh)

    def record(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        """Count one finished request in the metrics, and send its trace spans.

        ``scope`` is the request's ASGI scope, ``exchange`` its record, and ``seconds`` its duration. Unknown
        paths are counted together, so that clients cannot create new label values of the metrics.
        """
        endpoint, status = route(scope) or _FIXED.get(scope["path"], "other"), exchange.status
        counter = self._requests.get((endpoint, status))
        if counter is None:
            counter = self.metrics.counter(names.REQUESTS, endpoint, str(status))
            self._requests[endpoint, status] = counter
        counter.add()
        if exchange.quota is not None:
            # The fill level of the bucket is computed when the metrics are scraped.
            self._limits[exchange.limit, exchange.quota.allowed].add()
            self._decided[exchange.limit] = exchange.quota
        inside = exchange.inside_seconds
        if inside:
            self._gate.observe(exchange.gate_seconds)
            if exchange.limit_seconds:
                self._limiter.observe(exchange.limit_seconds)
            self._shield.observe(max(seconds - inside - exchange.gate_seconds - exchange.limit_seconds, 0.0))
        if exchange.validated is not None:
            self._record_decision(exchange, endpoint, exchange.validated)
        if self._spans is not None and exchange.trace.sampled:
            self._spans.record(scope["method"], exchange, endpoint, seconds)
        share = self._shares.get(endpoint)
        if share is not None and status not in {0, 429, 499}:
            # Only the service's own time counts: a client that sends slowly must not lower the adaptive
            # share.
            share.observe(inside, failed=status >= 500)

    def _record_decision(self, exchange: Exchange, endpoint: str, validated: Validated) -> None:
        decision = validated.decision
        source = "cache" if validated.cached else decision.source.value
        histogram = self._answers.get((endpoint, source))
        if histogram is None:
            histogram = self.metrics.histogram(names.LATENCY, endpoint, source)
            self._answers[endpoint, source] = histogram
        histogram.observe(exchange.inside_seconds)
        if exchange.trace.sampled:
            self.metrics.exemplify(
                names.LATENCY, (endpoint, source), exchange.inside_seconds, exchange.trace.id
            )
        if validated.cached:
            return
        if decision.prediction is not None:
            self._predicted[decision.prediction.valid].add()
            self._confidence.observe(decision.prediction.confidence)
        if decision.verdict is not None:
            outcome, reason = decision.verdict.outcome, decision.verdict.reason
            self.metrics.counter(names.WARGAMES, outcome, reason or "").add()
            self._wargame_seconds.observe(decision.verdict.seconds)
        for dependency in decision.degraded:
            self.metrics.counter(names.DEGRADED, dependency).add()

    async def refresh(self) -> None:
        """Write the present metrics of this worker to the memory that all workers share.

        Each worker exports the metrics of all workers from there. A new kind of cache entry and a new model
        get their metrics here. The model's accuracy over the last day is computed only here; if the trial
        store is unavailable, the accuracy keeps its last value.
        """
        self._watch_kinds()
        self._watch_model()
        where = TrialFilter(experiment=EXPERIMENT, since=utc_now() - dt.timedelta(days=1))
        with contextlib.suppress(CrisolError, TimeoutError):
            trials = self._service.trials
            tallies = await trials.ask(trials.store.tallies, where)
            figures = estimates(tallies.get((), Tally()))
            for name in ("accuracy", "false_accept_rate"):
                estimate: Estimate = getattr(figures, name)
                self._estimates[name, "low"] = estimate.low
                self._estimates[name, "estimate"] = estimate.value
                self._estimates[name, "high"] = estimate.high
        self.metrics.refresh()

    def _watch_all(self, service: Service) -> None:
        watch = self.metrics.watch
        for endpoint in RATES:
            watch(names.BUCKET_TOKENS, endpoint, read=partial(self._tokens, endpoint))
            watch(names.BUCKET_FILL, endpoint, read=partial(self._fill, endpoint))
        for endpoint, share in self._shares.items():
            watch(names.LIMIT_SHARE, endpoint, read=partial(getattr, share, "share"))
        for breaker in service.breakers:
            self._watch_breaker(breaker)
        referees, trials = service.referees, service.trials
        watch(names.QUEUE, "waiting", read=lambda: referees.stats.waiting)
        watch(names.QUEUE, "running", read=lambda: referees.stats.running)
        watch(names.QUEUE, "shadow", read=lambda: trials.shadow.queued)
        watch(names.SANDBOXES, read=lambda: referees.stats.open)
        for rung in PROMISED:
            watch(names.RUNG_OFF, rung.value, read=partial(self._is_off, rung))
        watch(names.SHADOW_DROPPED, read=lambda: trials.shadow.dropped)
        for place in ("stored", "journaled", "lost"):
            watch(names.TRIALS, place, read=partial(getattr, trials.stats, place))
        watch(names.JOURNAL, read=lambda: _size(trials.store.journal.path))
        for family, name in ((names.ACCURACY, "accuracy"), (names.FALSE_ACCEPTS, "false_accept_rate")):
            for bound in ("low", "estimate", "high"):
                watch(family, bound, read=partial(self._estimate, name, bound))
        watch(names.MEMORY, read=_resident)
        watch(names.CPU, read=time.process_time)
        started = time.time()
        watch(names.STARTED, read=lambda: started)

    def _watch_breaker(self, breaker: CircuitBreaker) -> None:
        watch, name = self.metrics.watch, breaker.name
        for state in State:
            watch(names.BREAKER_STATE, name, state.value, read=partial(_is_in, breaker, state))
        watch(names.BREAKER_FAILURES, name, "timeout", read=lambda: breaker.timeouts)
        watch(names.BREAKER_FAILURES, name, "error", read=lambda: breaker.failures - breaker.timeouts)
        watch(names.BREAKER_SUCCESSES, name, read=lambda: breaker.successes)
        watch(names.BREAKER_REJECTIONS, name, read=lambda: breaker.rejections)
        watch(names.BREAKER_RECOVERIES, name, "success", read=lambda: breaker.recovered)
        watch(names.BREAKER_RECOVERIES, name, "failure", read=lambda: breaker.relapsed)

    def _watch_kinds(self) -> None:
        for stats in self._service.shared.cache.stats():
            kind = stats.kind.name
            if kind in self._kinds:
                continue
            self._kinds.add(kind)
            for result in ("hits", "shared_hits", "misses", "errors", "corrupt"):
                self.metrics.watch(names.CACHE_LOOKUPS, kind, result, read=partial(getattr, stats, result))
            self.metrics.watch(names.CACHE_ENTRIES, kind, read=partial(getattr, stats, "entries"))
            self.metrics.watch(names.CACHE_BYTES, kind, read=partial(getattr, stats, "bytes"))

    def _watch_model(self) -> None:
        predictor = self._service.validator.model.served.predictor
        if predictor is None:
            return
        model = predictor.serving.model_version, predictor.serving.feature_version, predictor.form
        if model not in self._models:
            self._models.add(model)
            self.metrics.watch(names.MODEL, *model, read=partial(self._in_use, model[0], model[2]))

    def _is_off(self, rung: Source) -> float:
        return float(rung in self._service.validator.off)

    def _in_use(self, version: str, form: str) -> float:
        predictor = self._service.validator.model.served.predictor
        return float(
            predictor is not None and predictor.serving.model_version == version and predictor.form == form
        )

    def _estimate(self, name: str, bound: str) -> float:
        return self._estimates.get((name, bound), math.nan)

    def _tokens(self, endpoint: str) -> float:
        decision = self._decided.get(endpoint)
        return math.nan if decision is None else decision.remaining

    def _fill(self, endpoint: str) -> float:
        decision = self._decided.get(endpoint)
        return math.nan if decision is None else 100.0 * decision.remaining / decision.rate.burst


def _is_in(breaker: CircuitBreaker, state: State) -> float:
    return float(breaker.state is state)


def _size(path: Path) -> float:
    try:
        return float(path.stat().st_size)
    except OSError:
        return 0.0


def _resident() -> float:
    try:
        return float(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES)
    except (OSError, IndexError, ValueError):
        # Other systems than Linux tell only the peak, in different units.
        return math.nan
