"""The HTTP endpoints of a service, and the application that has them all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from fastapi import Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from crisol.abtest.store import Switch
from crisol.abtest.tally import Slice
from crisol.resilience.lru import KindStats
from crisol.service.accuracy import Accuracy
from crisol.service.breakers import BreakerView
from crisol.service.decisions import add_decisions
from crisol.service.health import Health, alive
from crisol.service.page import add_page
from crisol.service.routes import Routes
from crisol.service.schemas import (
    AbResults,
    AbStatus,
    AccuracyReport,
    BreakerReport,
    CacheReport,
    EnableAb,
    Invalidate,
    Invalidated,
    KindReport,
    Stats,
    TrialReport,
)

if TYPE_CHECKING:
    from crisol.metrics import Metrics
    from crisol.service.core import Service

__all__ = ["api"]

_Range = Annotated[
    str,
    Query(
        pattern=r"^(all|[1-9][0-9]{0,4}[mhd])$",
        description="minutes, hours or days up to now, such as 90m, 24h or 7d; or all",
        examples=["24h"],
    ),
]
_Version = Annotated[
    str | None, Query(pattern=r"^[ -~]{1,128}$", description="one model version; all of them if left out")
]


def api(service: Service, metrics: Metrics) -> Routes:
    """Return the FastAPI application of one worker: all HTTP routes, without the middleware around them.

    ``service`` answers the requests; ``metrics`` are shown by ``GET /metrics``.
    """
    app = Routes(
        title="Crisol",
        description="Whether a candidate patch closes a vulnerability, by a model or by a wargame.",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    _health(app, service)
    _metrics(app, metrics)
    _accuracy(app, service)
    _switch(app, service)
    _cache(app, service)
    _breakers(app, BreakerView(service, metrics))
    add_decisions(app, service)
    _vulnerabilities(app, service)
    add_page(app)
    return app


def _health(app: Routes, service: Service) -> None:
    health = Health(service)

    @app.get("/health", tags=["health"])
    async def liveness() -> dict[str, str]:
        """Return the status ``alive`` if the process can answer; no component is checked."""
        return alive()

    @app.get(
        "/health/detailed",
        tags=["health"],
        responses={
            200: {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/HealthReport"}}}}
        },
    )
    async def detailed() -> Response:
        """Return the health of every component; the HTTP status is 503 if one is unhealthy, else 200."""
        report = await health.report()
        status = 503 if report.status == "unhealthy" else 200
        return Response(msgspec.json.encode(report), status, media_type="application/json")


def _metrics(app: Routes, metrics: Metrics) -> None:
    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def scrape(request: Request) -> Response:
        """Return the metrics of all workers, in a format that Prometheus reads."""
        content, kind = metrics.render(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": kind})


def _accuracy(app: Routes, service: Service) -> None:
    accuracy = Accuracy(service)

    @app.get("/wargaming/ml/accuracy", tags=["model"])
    async def accuracy_of_model(time_range: _Range = "24h", model_version: _Version = None) -> AccuracyReport:
        """Return a report that compares the model's predictions with verdicts, with 95 % intervals."""
        return await accuracy.report(time_range, model_version)

    @app.get("/wargaming/ml/stats", tags=["model"])
    async def stats() -> Stats:
        """Return the model in use, the thresholds at which it decides alone, and counters of wargames.

        The counters are those of the worker that answers.
        """
        served, referees = service.validator.model.served, service.referees.stats
        serving = None if served.predictor is None else served.predictor.serving
        return Stats(
            model_version=None if serving is None else serving.model_version,
            feature_version=None if serving is None else serving.feature_version,
            form=None if served.predictor is None else served.predictor.form,
            accept_at=served.policy.accept,
            reject_at=served.policy.reject,
            thresholds=served.policy.reason,
            memory_accept_at=None if served.second is None else served.second.policy.accept,
            memory_reject_at=None if served.second is None else served.second.policy.reject,
            memory_thresholds="" if served.second is None else served.second.policy.reason,
            wargames_done=referees.done,
            wargames_waiting=referees.waiting,
            wargames_rejected=referees.rejected,
            mean_wargame_seconds=referees.mean_seconds,
            uptime_seconds=service.uptime,
        )

    @app.get("/wargaming/ab-testing/results", tags=["A/B testing"])
    async def results(
        time_range: _Range = "24h",
        model_version: _Version = None,
        by: Annotated[Literal["model_version", "cwe", "band", "rung", "day", "hour"] | None, Query()] = None,
    ) -> AbResults:
        """Return, for each group of trials, a report that compares the model's predictions with verdicts.

        The parameter ``by`` is the property by which trials are grouped; without it all trials are one group,
        ``all``. If trials are grouped by ``rung``, the answers that callers got are compared with the
        verdicts, instead of the model's predictions.
        """
        if by is None:
            return AbResults(by=None, groups={"all": await accuracy.report(time_range, model_version)})
        return AbResults(by=by, groups=await accuracy.by(Slice(by), time_range, model_version))

    @app.get("/wargaming/ab-testing/trials", tags=["A/B testing"])
    async def trials(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[TrialReport]:
        """Return the ``limit`` latest trials, newest first."""
        return await accuracy.recent(limit)


def _switch(app: Routes, service: Service) -> None:
    @app.get("/wargaming/ab-testing/status", tags=["A/B testing"])
    async def status() -> AbStatus:
        """Return whether A/B testing is on, its sampling rate, its queue, and the rungs that are off.

        The queue holds the sampled patches that wait for a wargame.
        """
        return _ab_status(service)

    @app.post("/wargaming/ab-testing/enable", tags=["A/B testing"])
    async def enable(wish: EnableAb) -> AbStatus:
        """Switch A/B testing on: wargame a share of the patches of which the model is sure.

        The body gives the share, ``rate``. All workers follow within ten seconds.
        """
        now = service.trials.switch
        rate = wish.rate if wish.rate is not None else now.rate or 0.1
        await service.trials.flip(Switch(enabled=True, rate=rate, salt=wish.salt or now.salt))
        return _ab_status(service)

    @app.post("/wargaming/ab-testing/disable", tags=["A/B testing"])
    async def disable() -> AbStatus:
        """Switch A/B testing off: sample no patch of which the model is sure.

        All workers follow within ten seconds. The sampling rate stays stored; it holds again when A/B testing
        is switched on without another rate.
        """
        now = service.trials.switch
        await service.trials.flip(Switch(enabled=False, rate=now.rate, salt=now.salt))
        return _ab_status(service)

    @app.post("/wargaming/ab-testing/rungs/{name}/enable", tags=["A/B testing"])
    async def enable_rung(
        name: Annotated[str, Path(pattern=r"^[a-z_]{1,32}$", examples=["memory"])],
    ) -> AbStatus:
        """Switch on a rung that was switched off because it broke its promise.

        The rungs are ``equivalent``, ``untouched``, ``memory`` and ``model``; the HTTP status for another
        name is 404. The other workers follow within ten seconds.
        """
        await asyncio.to_thread(service.guard.enable, name)
        return _ab_status(service)


def _ab_status(service: Service) -> AbStatus:
    switch, shadow, stats = service.trials.switch, service.trials.shadow, service.trials.stats
    return AbStatus(
        enabled=switch.enabled,
        rate=switch.rate,
        mode=service.settings.ab_mode,
        queued=shadow.queued,
        running=shadow.running,
        dropped=shadow.dropped,
        stored=stats.stored,
        journaled=stats.journaled,
        lost=stats.lost,
        off={rung.value: why for rung, why in service.guard.off.items()},
    )


def _cache(app: Routes, service: Service) -> None:
    cache = service.shared.cache

    @app.get("/wargaming/cache/stats", tags=["cache"])
    async def stats() -> CacheReport:
        """Return the hits, the misses and the size of this worker's cache, for each kind of entry."""
        kinds = cache.stats()
        hits = sum(kind.hits + kind.shared_hits for kind in kinds)
        lookups = hits + sum(kind.misses for kind in kinds)
        return CacheReport(
            shared_tier=service.shared.ping is not None,
            entries=len(cache),
            bytes=cache.weight,
            hit_ratio=hits / lookups if lookups else None,
            kinds=[_kind(kind) for kind in kinds],
        )

    @app.post("/wargaming/cache/invalidate", tags=["cache"])
    async def invalidate(wish: Invalidate) -> Invalidated:
        """Delete cache entries: those with a tag, the one with a key, or all.

        With a shared Redis, the entries are deleted there, too; other workers drop their copies within a
        minute; if Redis does not answer, the answer is 503, and the request must be repeated. Without a
        shared Redis, the entries of this worker alone are deleted; services that were started by themselves
        keep theirs.
        """
        if wish.tag is not None:
            return Invalidated(entries=await cache.invalidate(wish.tag))
        if wish.key is not None:
            return Invalidated(entries=int(await cache.delete(bytes.fromhex(wish.key))))
        return Invalidated(entries=await cache.clear())


def _kind(stats: KindStats) -> KindReport:
    names = ("hits", "shared_hits", "misses", "errors", "corrupt", "evictions", "entries", "bytes")
    return KindReport(kind=stats.kind.name, **{name: getattr(stats, name) for name in names})


def _vulnerabilities(app: Routes, service: Service) -> None:
    @app.get("/wargaming/vulnerabilities", tags=["decisions"])
    async def vulnerabilities() -> list[str]:
        """Return the ids, sorted, of the registered vulnerabilities; only these can be wargamed."""
        return await asyncio.to_thread(service.catalogue.names)


def _breakers(app: Routes, view: BreakerView) -> None:
    @app.get("/wargaming/breakers", tags=["breakers"])
    async def breakers() -> list[BreakerReport]:
        """Return a report on each circuit breaker: its worst state in any worker, and summed counters."""
        return view.report()

    @app.post("/wargaming/breakers/{name}/reset", tags=["breakers"])
    async def reset(
        name: Annotated[str, Path(pattern=r"^[a-z_]{1,32}$", examples=["cache"])],
    ) -> BreakerReport:
        """Close a circuit breaker and forget its recent calls; other workers follow within ten seconds.

        The breakers are ``cache``, ``database``, ``ml_model`` and ``sandbox``; the HTTP status for another
        name is 404.
        """
        return view.reset(name)
