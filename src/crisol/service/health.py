"""The health of a service and of its components; a report costs little and may be asked for every second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crisol.errors import CrisolError
from crisol.resilience.breaker import State
from crisol.sandbox import choose
from crisol.sandbox.selfcheck import escapes

if TYPE_CHECKING:
    from crisol.service.core import Service

__all__ = ["Component", "Health", "HealthReport"]

_FRESH = 1.0
_SELF_CHECK = 300.0
_SECONDS = 1.0


class Component(Struct, frozen=True):
    """The health of one component of the service, such as the cache.

    ``status`` is ``healthy``, ``degraded`` (the service answers without the component) or ``unhealthy``.
    ``detail`` is a sentence for people. ``ms`` is the time in milliseconds that it took to find the status.
    """

    status: str
    detail: str
    ms: float


class HealthReport(Struct, frozen=True):
    """The health of the service: ``status`` is the worst status of its components.

    ``components`` maps the names of the components to their health: ``cache``, ``trials``, ``model``,
    ``rungs``, ``sandbox``, ``breakers``, ``queue`` and ``journal``. ``uptime_seconds`` is the time since the
    worker's service was opened.
    """

    status: str
    uptime_seconds: float
    components: dict[str, Component]


class Health:
    """The health check of the components of ``service``; each report is kept for one second."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._last: tuple[float, HealthReport] | None = None
        self._lock = asyncio.Lock()
        self._sandbox: tuple[float, tuple[str, str]] | None = None

    async def report(self) -> HealthReport:
        """Return the health of every component, checked within the last second.

        The sandbox is the exception: while it is healthy, its last check may be five minutes old.
        """
        async with self._lock:
            now = time.monotonic()
            if self._last is not None and now - self._last[0] < _FRESH:
                return self._last[1]
            checks: dict[str, Callable[[], Awaitable[tuple[str, str]]]] = {
                "cache": self._cache,
                "trials": self._trials,
                "model": self._model,
                "rungs": self._rungs,
                "sandbox": self._walls,
                "breakers": self._breakers,
                "queue": self._queue,
                "journal": self._journal,
            }
            results = dict(zip(checks, await asyncio.gather(*map(_timed, checks.values())), strict=True))
            worst = max((result.status for result in results.values()), key=_ORDER.index)
            report = HealthReport(worst, now - self._service.started, results)
            self._last = (now, report)
            return report

    async def _cache(self) -> tuple[str, str]:
        cache = self._service.shared.cache
        size = f"{len(cache)} entries, {cache.weight} bytes here"
        if self._service.shared.ping is None:
            return "healthy", f"in this process: {size}"
        try:
            async with asyncio.timeout(_SECONDS):
                await self._service.shared.ping()
        except Exception as error:  # noqa: BLE001 - whatever the client raises, Redis is away
            return "degraded", f"Redis does not answer ({type(error).__name__}): {size}"
        return "healthy", f"Redis answers: {size}"

    async def _trials(self) -> tuple[str, str]:
        trials = self._service.trials
        name = type(trials.store.store).__name__.removesuffix("Store")
        try:
            async with asyncio.timeout(_SECONDS):
                await trials.ask(trials.store.switch)
        except (CrisolError, TimeoutError) as error:
            return "degraded", f"{name} does not answer ({type(error).__name__}); trials go to the journal"
        return "healthy", f"{name} answers"

    async def _model(self) -> tuple[str, str]:
        served = self._service.validator.model.served
        refused = f"the newest model is refused: {self._service.refused}; " if self._service.refused else ""
        if served.predictor is None:
            return "degraded", f"{refused}no model is loaded; every patch is wargamed"
        try:
            served.predictor.check()
        except CrisolError as error:
            return "unhealthy", str(error)
        use = f"{served.version[0]} ({served.predictor.form}); {served.policy.reason}"
        return "degraded" if refused else "healthy", f"{refused}in use is {use}" if refused else use

    async def _rungs(self) -> tuple[str, str]:
        guard = self._service.guard
        if guard.off:
            said = "; ".join(f"{rung} is off, {why}" for rung, why in guard.off.items())
            return "degraded", f"{said}; enable it with POST /wargaming/ab-testing/rungs/NAME/enable"
        if guard.trials is None:
            return "healthy", "not looked at: the store does not answer"
        return "healthy", f"{guard.trials} trials, no promise broken"

    async def _walls(self) -> tuple[str, str]:
        now = time.monotonic()
        if self._sandbox is None or now - self._sandbox[0] > _SELF_CHECK or self._sandbox[1][0] != "healthy":
            self._sandbox = (now, await asyncio.to_thread(self._try_walls))
        return self._sandbox[1]

    def _try_walls(self) -> tuple[str, str]:
        try:
            kind = choose(self._service.settings.sandbox).kind
            failed = escapes(kind)
        except CrisolError:
            return "degraded", "no sandbox; `crisol doctor` says why. Answers are the model's alone"
        if failed:
            return "unhealthy", f"{kind} lets scripts do what it must refuse: {', '.join(failed)}"
        return "healthy", f"{kind}, every escape refused"

    async def _breakers(self) -> tuple[str, str]:
        states = {breaker.name: breaker.state for breaker in self._service.breakers.snapshot()}
        away = [f"{name} is {state.value}" for name, state in states.items() if state is not State.CLOSED]
        return ("degraded", ", ".join(away)) if away else ("healthy", f"{len(states)} closed")

    async def _queue(self) -> tuple[str, str]:
        stats = self._service.referees.stats
        line = self._service.settings.wargame_line
        text = f"{stats.waiting} of {line} waiting, {stats.running} running, sandboxes open: {stats.open}"
        return ("degraded" if stats.waiting >= line else "healthy"), text

    async def _journal(self) -> tuple[str, str]:
        journal = self._service.trials.store.journal
        if self._service.trials.stats.lost:
            return "unhealthy", f"{self._service.trials.stats.lost} trials were lost: the disk refused"
        if not self._service.trials.behind or journal.empty:
            return "healthy", "the store has every trial"
        return "degraded", f"{journal.path.stat().st_size} bytes wait for the store"


_ORDER = ("healthy", "degraded", "unhealthy")


async def _timed(check: Callable[[], Awaitable[tuple[str, str]]]) -> Component:
    start = time.perf_counter()
    status, detail = await check()
    return Component(status, detail, (time.perf_counter() - start) * 1e3)


def alive() -> dict[str, Any]:
    """Return the answer to a liveness probe, ``{"status": "alive"}``; no component is checked."""
    return {"status": "alive"}
