"""The objects that answer requests in one worker: :func:`open_service` makes them from the settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crisol.abtest.patches import PatchStore
from crisol.abtest.store import Switch
from crisol.errors import CrisolError, ModelError, StoreError
from crisol.model.learnt import load_learnt
from crisol.model.policy import Policy
from crisol.resilience.breaker import State
from crisol.resilience.guard import BreakerRegistry, CircuitBreaker
from crisol.resilience.policy import DATABASE, ML_MODEL
from crisol.service.limits import rates
from crisol.service.rung_guard import RungGuard
from crisol.service.sampling import LiveTrials
from crisol.tracking.registry import champion_folder
from crisol.validation.catalogue import Catalogue
from crisol.validation.fact_rung import FactRung
from crisol.validation.memory_rung import MemoryRung
from crisol.validation.model_rung import ModelRung, ServedModel
from crisol.validation.validator import SANDBOX, Validator
from crisol.validation.wargames import Referees
from crisol.wiring import Shared, open_journaled_trials, open_shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from crisol.config import Settings
    from crisol.model.predictor import Predictor

__all__ = ["REFRESH_SECONDS", "Service", "open_service"]

REFRESH_SECONDS = 10.0
_HELD = (State.OPEN, State.HALF_OPEN, State.FORCED_OPEN)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    """The objects that answer requests in one worker; :func:`open_service` makes it from ``settings``.

    - ``validator`` decides about patches. ``referees`` run wargames. ``catalogue`` finds registered
      vulnerabilities. ``memory`` is the memory rung.
    - ``trials`` samples decisions for A/B testing. ``guard`` switches off rungs that make too many errors.
    - ``shared`` holds the cache and the token buckets, ``breakers`` the circuit breakers.
    - ``started``: the time of the start, in seconds of the monotonic clock.
    - ``on_refresh``: functions that are called at the start and then every ten seconds.
    - ``refused``: why the newest model could not be loaded, or why the file that names the champion cannot be
      read; "" if the model was loaded, or if there is none.
    """

    settings: Settings
    breakers: BreakerRegistry
    shared: Shared
    catalogue: Catalogue
    referees: Referees
    validator: Validator
    memory: MemoryRung
    trials: LiveTrials
    started: float = field(default_factory=time.monotonic)
    on_refresh: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    refused: str = ""
    _tried: tuple[Path, tuple[int, ...]] | str = ""
    """What :meth:`reload` last tried to load: a folder and its state, or why no folder is known."""
    guard: RungGuard = field(init=False)
    _watched: tuple[CircuitBreaker, CircuitBreaker] = field(init=False)

    def __post_init__(self) -> None:
        self._watched = self.breakers["cache"], self.breakers["database"]
        self.guard = RungGuard(self, self.settings.runs / "rungs")

    @property
    def uptime(self) -> float:
        """Seconds since the service of this worker was opened."""
        return time.monotonic() - self.started

    def missing(self) -> tuple[str, ...]:
        """Return the names of the unavailable dependencies: ``cache``, ``database``, both or none.

        A dependency counts as unavailable if its circuit breaker is not closed, or if the last call to the
        dependency failed. The method itself calls no dependency.
        """
        cache, database = self._watched
        if cache.quiet and database.quiet:
            return ()
        return tuple(breaker.name for breaker in self._watched if not breaker.quiet)

    def strained(self) -> bool:
        """Return whether any circuit breaker is open, forced open or half open; no dependency is called."""
        return any(breaker.state in _HELD for breaker in self.breakers)

    async def refresh(self) -> None:
        """Bring this worker up to date with the disk and the trial store.

        It calls :meth:`reload`, reads the A/B switch, moves journaled trials to the store, reads verdicts
        that other workers stored, and calls the functions in ``on_refresh``. A missing model or trial store
        raises nothing. :meth:`run` calls it every ten seconds.
        """
        await asyncio.to_thread(self.reload)
        await self.trials.refresh()
        await self.trials.recollect(self.memory)
        for call in self.on_refresh:
            await call()

    def reload(self) -> None:
        """Load the model that the settings name, or else the champion, if it changed since the last call.

        It changed if its folder is another one, or if ``serving.json`` there was replaced or written. If the
        settings name no model and there is no champion, nothing is loaded. If the model cannot be loaded, or
        ``champion.json`` cannot be read, the present model stays in use; the error is logged and put into
        ``refused``, not raised.
        """
        try:
            folder = self.settings.model or champion_folder(self.settings)
        except (ModelError, StoreError) as error:
            if self._tried != str(error):
                self._tried = str(error)
                damaged = isinstance(error, ModelError)
                self.refused = self._tried if damaged else ""
                level = logging.ERROR if damaged else logging.WARNING
                _log.log(level, "the champion is not loaded: %s", error)
            return
        tried = folder, _file_state(folder / "serving.json")
        if tried == self._tried:
            return
        self._tried = tried
        try:
            self.validator.model.served = load_model(folder, self.settings)
        except CrisolError as error:
            self.refused = str(error)
            _log.error("the model in %s is not used: %s", folder, error)
            return
        self.refused = ""
        _log.info("model %s is in use", self.validator.model.served.version[0])

    async def run(self) -> None:
        """Call :meth:`refresh` every ten seconds until cancelled; its errors are logged."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - the next one may succeed, and nothing else hangs on it
                _log.exception("the refresh failed")


def _file_state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:  # loading says what is missing
        return ()
    # A copy can set the time of modification back, but not the time of change.
    return status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size


def load_model(folder: Path, settings: Settings) -> ServedModel:
    """Return the model in ``folder`` with its policy, and with its second stage if it has one.

    Thresholds in ``settings`` replace those of the policy. Raises :class:`~crisol.errors.ModelError` if the
    folder holds no usable model, :class:`~crisol.errors.IntegrityError` if the model no longer gives its test
    patch the probability from its export, and :class:`~crisol.errors.SettingsError` for thresholds that
    overlap.
    """
    # Imported here, so that a service whose model is broken or absent starts all the same.
    from crisol.model.predictor import Predictor  # noqa: PLC0415 - see above

    predictor = Predictor.load(folder, settings.trust)
    # A model that does not answer is left to its breaker.
    with contextlib.suppress(ModelError):
        predictor.check()
    second = None
    if (folder / "memory.json").is_file():
        from crisol.evidence.second_stage import SecondStage  # noqa: PLC0415 - most models need no lightgbm

        second = SecondStage.load(folder / "memory.json")
    return ServedModel(predictor, _policy(predictor, settings), second, load_learnt(folder))


def _policy(predictor: Predictor, settings: Settings) -> Policy:
    if settings.accept_at is not None or settings.reject_at is not None:
        return Policy(settings.accept_at, settings.reject_at, "set by the operator")
    return predictor.serving.policy


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Return an async context manager that yields the service of one worker, and closes it at the end.

    The service opens even if Redis, PostgreSQL, the sandbox or the model is unavailable. Entering raises
    :class:`~crisol.errors.SettingsError` for wrong settings, and :class:`~crisol.errors.StoreError` if
    another process keeps the DuckDB file open.
    """
    breakers = BreakerRegistry()
    model, sandbox = breakers.create("ml_model", ML_MODEL), breakers.create("sandbox", SANDBOX)
    database = breakers.create("database", DATABASE)
    concurrency = settings.wargames or os.cpu_count() or 1
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(open_shared(settings, rates(settings.rate_limits), breakers))
        store = await asyncio.to_thread(open_journaled_trials, settings)
        stack.callback(store.close)
        catalogue = Catalogue(settings.search_path, shared.cache)
        referees = await stack.enter_async_context(
            Referees(
                catalogue,
                settings.cache,
                sandbox=settings.sandbox,
                concurrency=concurrency,
                line=settings.wargame_line,
                seconds=settings.wargame_seconds,
                secret=settings.wargame_seed == "secret",
            )
        )
        served = ServedModel(None, Policy(settings.accept_at, settings.reject_at))
        asked = ModelRung(served, model)
        memory = MemoryRung(asked, catalogue, settings.cache)
        stack.push_async_callback(memory.close)
        facts = FactRung(catalogue, settings.cache, sandbox=settings.sandbox, workers=concurrency)
        stack.push_async_callback(facts.close)
        validator = Validator(
            asked,
            shared.cache,
            catalogue,
            referees,
            sandbox=sandbox,
            rungs=(facts, memory),
            learners=(facts.learn, memory.learn),
        )
        switch = Switch(enabled=settings.ab_test_rate > 0.0, rate=settings.ab_test_rate)
        trials = await stack.enter_async_context(
            LiveTrials(
                validator,
                store,
                database,
                switch,
                PatchStore(settings.patches),
                facts=facts,
                blocking=settings.ab_mode == "blocking",
                concurrency=concurrency,
            )
        )
        service = Service(settings, breakers, shared, catalogue, referees, validator, memory, trials)
        await service.refresh()
        refreshing = asyncio.create_task(service.run(), name="refresh")
        try:
            yield service
        finally:
            refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await refreshing
            await shared.cache.drain()
