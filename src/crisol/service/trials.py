"""Trials of a running service: which answers are checked by a wargame, and how what came of it is kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from crisol.abtest.shadow import ShadowQueue, ShadowStats
from crisol.abtest.store import Switch, utc_now
from crisol.abtest.trial import observe
from crisol.errors import CrisolError, StoreError, UnavailableError
from crisol.records import Outcome, Source, Trial, Verdict
from crisol.validation.decide import from_verdict

if TYPE_CHECKING:
    from types import TracebackType

    from crisol.abtest.journal import JournaledStore
    from crisol.abtest.patches import PatchStore
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.validator import Found, Submission, Validator

__all__ = ["EXPERIMENT", "LiveTrials", "TrialStats"]

EXPERIMENT = "live"
ARM = "champion"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class TrialStats:
    """Plain counters since the start: trials in the store, in the journal, and lost because the disk refused too."""

    stored: int = 0
    journaled: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Job:
    submission: Submission
    found: Found
    probability: float


class LiveTrials:
    """Makes trials of answers, in the background unless ``blocking``; one event loop's, as ``async with``.

    A patch that the model was unsure of was wargamed anyway and is a trial with probability 1; one that it decided
    alone is wargamed with the switch's rate. What the store does not take now, because it is away or its
    ``breaker`` is open, goes to the journal on disk.
    """

    def __init__(
        self,
        validator: Validator,
        store: JournaledStore,
        breaker: CircuitBreaker,
        switch: Switch,
        patches: PatchStore,
        *,
        blocking: bool = False,
        concurrency: int = 2,
        line: int = 100,
    ) -> None:
        self.switch = switch
        self.stats = TrialStats()
        self.store = store
        self._validator = validator
        self._breaker = breaker
        self._blocking = blocking
        self._patches = patches
        self._pending: list[Trial] = []
        self._texts: list[str] = []
        self._ready = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._shadow: ShadowQueue[_Job, Verdict] = ShadowQueue(
            self._wargame, self._record, concurrency=concurrency, limit=line, grace=5.0
        )

    async def __aenter__(self) -> Self:
        await self._shadow.__aenter__()
        self._writer = asyncio.create_task(self._write(), name="trials")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what waits, then write what was observed."""
        await self._shadow.__aexit__(kind, error, trace)
        assert self._writer is not None
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        await self._flush()

    @property
    def shadow(self) -> ShadowStats:
        """The counters of the wargames in the background."""
        return self._shadow.stats

    async def consider(self, submission: Submission, found: Found) -> Found:
        """Sample a decision that was just made; returns it, or in blocking mode what the wargame says instead."""
        job = self._job(submission, found)
        if job is None:
            return found
        if found.decision.verdict is not None:
            self._keep(job, found.decision.verdict)
            return found
        if not self._blocking:
            self._shadow.offer(job)
            return found
        try:
            verdict = await self._shadow.verdict(job)
        except UnavailableError as error:
            _log.warning("a sampled patch is answered by the model alone: %s", error)
            return found
        if verdict.outcome is Outcome.INCONCLUSIVE:
            return found
        return replace(found, decision=from_verdict(verdict, found.decision.prediction))

    def _job(self, submission: Submission, found: Found) -> _Job | None:
        """Return the trial that is to be made of a decision, if any."""
        decision = found.decision
        if found.cached or found.pattern is None or decision.prediction is None or not self.switch.enabled:
            return None
        if decision.source is Source.WARGAME:
            return _Job(submission, found, 1.0)
        draw = self.switch.sampler.draw(submission.patch.identity)
        wanted = decision.source is Source.MODEL and draw.sampled
        return _Job(submission, found, draw.probability) if wanted else None

    async def flip(self, switch: Switch) -> None:
        """Set the switch for all who share the store.

        Raises :class:`~crisol.errors.UnavailableError` where it cannot be kept; then nothing has changed.
        """
        await self._breaker.call(asyncio.to_thread, self.store.flip, switch)
        self.switch = switch

    async def refresh(self) -> None:
        """See what others set the switch to, and hand the store what the journal has; quiet while it is away."""
        with contextlib.suppress(CrisolError, TimeoutError):
            self.switch = await self._breaker.call(asyncio.to_thread, self.store.switch)
            if not self.store.journal.empty:
                replay = await self._breaker.call(asyncio.to_thread, self.store.replay)
                _log.info("%d trials of the journal are in the store now", replay.replayed)

    async def _wargame(self, job: _Job) -> Verdict:
        assert job.found.pattern is not None
        return await self._validator.wargame(job.submission, job.found.pattern)

    async def _record(self, job: _Job, verdict: Verdict) -> None:
        self._keep(job, verdict)
        if verdict.outcome is not job.found.decision.outcome:
            await self._validator.correct(job.found, verdict)

    def _keep(self, job: _Job, verdict: Verdict) -> None:
        prediction, pattern = job.found.decision.prediction, job.found.pattern
        assert prediction is not None
        assert pattern is not None
        try:
            trial = observe(
                prediction,
                patch=job.submission.patch.identity,
                vulnerability=pattern.id,
                outcome=verdict.outcome,
                reason=verdict.reason,
                sampling_probability=job.probability,
                created_at=utc_now(),
                experiment=EXPERIMENT,
                arm=ARM,
                cwe=job.submission.cwe or pattern.cwe,
                wargame_seconds=verdict.seconds,
            )
        except CrisolError as error:
            _log.warning("a wargame left no trial: %s", error)
            return
        self._pending.append(trial)
        self._texts.append(job.submission.text)
        self._ready.set()

    def _keep_texts(self, texts: list[str]) -> None:
        """Keep the diffs, from which a model may be retrained; a trial without its diff is still a trial."""
        try:
            for text in texts:
                self._patches.add(text)
        except CrisolError as error:
            _log.warning("the text of a patch was not kept: %s", error)

    async def _write(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        trials, self._pending = self._pending, []
        texts, self._texts = self._texts, []
        if not trials:
            return
        await asyncio.to_thread(self._keep_texts, texts)
        try:
            await self._breaker.call(asyncio.to_thread, self.store.store.append, trials)
            self.stats.stored += len(trials)
        except (UnavailableError, TimeoutError) as error:
            _log.warning("%d trials go to the journal: %s", len(trials), error or type(error).__name__)
            try:
                await asyncio.to_thread(self.store.journal.write, trials)
                self.stats.journaled += len(trials)
            except StoreError:
                _log.exception("%d trials are lost", len(trials))
                self.stats.lost += len(trials)
