"""The trials of a running service: which decisions are checked by a wargame, and how the result is stored."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from crisol.abtest.shadow import ShadowQueue, ShadowStats
from crisol.abtest.store import Switch, utc_now
from crisol.abtest.trial import observe
from crisol.errors import CrisolError, StoreError, UnavailableError
from crisol.records import Source, Trial, Verdict
from crisol.service import recollection
from crisol.validation.ladder import OURS, Case, from_verdict
from crisol.wargaming.referee import REFEREE_VERSION

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from types import TracebackType

    from crisol.abtest.journal import JournaledStore
    from crisol.abtest.patches import PatchStore
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.fact_rung import FactRung
    from crisol.validation.ladder import Submission
    from crisol.validation.memory_rung import MemoryRung
    from crisol.validation.validator import Validated, Validator

__all__ = ["EXPERIMENT", "LEARNT", "LiveTrials", "TrialStats"]

EXPERIMENT = "live"
LEARNT = "live-learnt"
"""The experiment of trials on patches that the model was trained on; its accuracy leaves them out."""
ARM = "champion"
_STORE_THREADS = 4
_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class TrialStats:
    """Counters of the trials that this worker wrote since its start.

    ``stored`` counts the trials that the worker passed to the trial store. They may be those of other workers
    or of an earlier run, because the workers of a machine share the journal. ``journaled`` counts the trials
    of this worker that stayed in the journal because the store failed, ``lost`` those that neither store nor
    journal could take.
    """

    stored: int = 0
    journaled: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class _Job:
    submission: Submission
    validated: Validated
    probability: float


class LiveTrials:
    """The A/B test of a running service: it samples decisions, wargames their patches and stores trials.

    While ``switch`` is on, each new decision by a wargame becomes a trial with the sampling probability 1.
    Other decisions, except the fallback's, are sampled at the switch's rate. ``validator`` then wargames the
    patch: in the background or, with ``blocking``, before the answer. At most ``concurrency`` such wargames
    run at a time, and at most ``line`` wait.

    ``store`` takes the trials, by way of a journal on disk, so that a crash loses none. ``breaker`` is the
    circuit breaker of the store. ``patches`` keeps the texts of the patches; ``facts`` knows the identity of
    the program that a patch makes. Use the object in one event loop only, as an async context manager.
    """

    def __init__(
        self,
        validator: Validator,
        store: JournaledStore,
        breaker: CircuitBreaker,
        switch: Switch,
        patches: PatchStore,
        *,
        facts: FactRung,
        blocking: bool = False,
        concurrency: int = 2,
        line: int = 100,
    ) -> None:
        self.switch = switch
        self.stats = TrialStats()
        self.store = store
        self.behind = not store.journal.empty
        self._validator = validator
        self._breaker = breaker
        self.blocking = blocking
        self._patches = patches
        self._facts = facts
        self._noted = 0
        self._remembered: dt.datetime | None = None
        self._threads = ThreadPoolExecutor(_STORE_THREADS, thread_name_prefix="store")
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
        """Wait at most five seconds for the sampled wargames, then move the journaled trials to the store.

        Wargames that have not ended by then give no trial.
        """
        await self._shadow.__aexit__(kind, error, trace)
        assert self._writer is not None
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        await self._replay_journal()
        await asyncio.to_thread(self._threads.shutdown)

    async def ask(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work(*args, **kwargs)``, which uses the trial store, in a thread, and return its result.

        The circuit breaker of the store guards the call. Raises what ``work`` raises, ``TimeoutError`` if the
        call takes longer than the breaker's policy allows, and :class:`~crisol.errors.CircuitOpenError` if
        the breaker rejects the call.
        """

        async def call() -> T:
            loop = asyncio.get_running_loop()
            context = copy_context()
            return await loop.run_in_executor(self._threads, lambda: context.run(work, *args, **kwargs))

        return await self._breaker.call(call)

    @property
    def shadow(self) -> ShadowStats:
        """The counters of the sampled wargames that run in the background."""
        return self._shadow.stats

    async def consider(self, submission: Submission, validated: Validated) -> Validated:
        """Make a trial of a decision if it is sampled, and return the decision that the client gets.

        ``submission`` is the request, ``validated`` the decision. No trial is made while the switch is off,
        for a cached decision, for a decision of the fallback, for a vulnerability that is not registered, or
        if the model gives no prediction. Otherwise, a decision of a wargame always becomes a trial; any other
        decision is sampled at the switch's rate.

        The result is ``validated``, unless ``self.blocking`` is True and the decision is sampled. The patch
        is then wargamed first, and the result has the decision of that wargame. If this wargame cannot run,
        or fails on this machine (sandbox or baseline), the result is ``validated`` all the same.
        """
        job = await self._job(submission, validated)
        if job is None:
            return validated
        if validated.decision.verdict is not None:
            await self._keep(job, validated.decision.verdict)
            return validated
        if not self.blocking:
            self._shadow.offer(job)
            return validated
        try:
            verdict = await self._shadow.verdict(job)
        except UnavailableError as error:
            _log.warning("a sampled patch is answered by the model alone: %s", error)
            return validated
        if verdict.reason in OURS:
            return validated
        return replace(validated, decision=from_verdict(verdict, validated.decision.prediction))

    async def _job(self, submission: Submission, validated: Validated) -> _Job | None:
        """Return the job that makes a trial of a decision; None if :meth:`consider` makes no trial of it."""
        decision = validated.decision
        if validated.cached or validated.pattern is None or not self.switch.enabled:
            return None
        probability = 1.0
        if decision.source is not Source.WARGAME:
            draw = self.switch.sampler.draw(submission.patch.identity)
            if decision.source is Source.FALLBACK or not draw.sampled:
                return None
            probability = draw.probability
        if decision.prediction is None:
            prediction = await self._validator.model.predict(Case(submission, validated.pattern))
            if prediction is None:
                return None
            validated = replace(validated, decision=replace(decision, prediction=prediction))
        return _Job(submission, validated, probability)

    async def flip(self, switch: Switch) -> None:
        """Set the A/B switch to ``switch`` for all workers that use the same trial store.

        Raises :class:`~crisol.errors.UnavailableError` or ``TimeoutError`` if the store fails; the switch
        then stays as it was.
        """
        await self.ask(self.store.flip, switch)
        self.switch = switch

    async def refresh(self) -> None:
        """Read the A/B switch from the trial store, and move journaled trials to the store.

        Nothing happens if the store is unavailable; that is no error.
        """
        with contextlib.suppress(CrisolError, TimeoutError):
            self.switch = await self.ask(self.store.switch)
            await self._replay_journal()

    async def recollect(self, memory: MemoryRung) -> None:
        """Read verdicts from the trial store; add them to the fact rung and to ``memory``.

        The verdicts are those that any worker stored since the last call. If the store is unavailable, a
        warning is logged, and the next call reads these verdicts.
        """
        begun, patches = utc_now(), self._patches if memory.serves else None
        since = None if memory.serves and not memory.filled else self._remembered
        try:
            verdicts = await self.ask(
                recollection.read, self.store.store, patches, (EXPERIMENT, LEARNT), since
            )
        except (CrisolError, TimeoutError) as error:
            _log.warning("earlier verdicts were not read: %s", error or type(error).__name__)
            return
        for trial, judged in verdicts:
            content = trial.vulnerability, trial.content_hash
            if trial.program:
                self._facts.add(content, trial.program, trial.patch, trial.outcome, trial.reason)
            if judged is not None:
                memory.add(content, judged)
        # The clocks of workers differ, and a trial is stored some time after its creation.
        self._remembered = begun - recollection.OVERLAP
        memory.filled = memory.serves

    async def _wargame(self, job: _Job) -> Verdict:
        assert job.validated.pattern is not None
        return await self._validator.wargame(job.submission, job.validated.pattern)

    async def _record(self, job: _Job, verdict: Verdict) -> None:
        await self._keep(job, verdict)
        if verdict.outcome is not job.validated.decision.outcome:
            await self._validator.correct(job.validated, verdict)

    async def _keep(self, job: _Job, verdict: Verdict) -> None:
        decision, pattern = job.validated.decision, job.validated.pattern
        prediction = decision.prediction
        assert prediction is not None
        assert pattern is not None
        identity = job.submission.patch.identity
        try:
            trial = observe(
                prediction,
                patch=identity,
                vulnerability=pattern.id,
                outcome=verdict.outcome,
                reason=verdict.reason,
                sampling_probability=job.probability,
                created_at=utc_now(),
                experiment=LEARNT if identity in self._validator.model.served.learnt else EXPERIMENT,
                arm=ARM,
                cwe=job.submission.cwe or pattern.cwe,
                wargame_seconds=verdict.seconds,
                rung=decision.source,
                decided=None if decision.source is Source.WARGAME else decision.outcome,
                content_hash=pattern.content_hash,
                referee=REFEREE_VERSION,
                program=self._facts.program(job.submission, pattern),
            )
        except CrisolError as error:
            _log.warning("a wargame left no trial: %s", error)
            return
        try:
            await asyncio.to_thread(self._write_journal, trial, job.submission.text)
        except StoreError as error:
            await self._store_directly(trial, error)
        else:
            self._noted += 1
            self._ready.set()

    def _write_journal(self, trial: Trial, text: str) -> None:
        try:
            self._patches.add(text)  # for retraining; the trial counts without it, too
        except CrisolError as error:
            _log.warning("the text of a patch was not kept: %s", error)
        self.store.journal.write([trial])

    async def _store_directly(self, trial: Trial, journal_error: StoreError) -> None:
        try:
            await self.ask(self.store.store.append, [trial])
        except (UnavailableError, TimeoutError):
            _log.exception("a trial is lost: %s", journal_error)
            self.stats.lost += 1
        else:
            self.stats.stored += 1

    async def _write(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            await asyncio.shield(self._replay_journal())

    async def _replay_journal(self) -> None:
        noted, self._noted = self._noted, 0
        if self.store.journal.empty:
            # Another worker has replayed the journal, or it was empty. The store was not called, so the
            # breaker gets no result.
            self.behind = False
            return
        try:
            replay = await self.ask(self.store.replay)
        except (CrisolError, TimeoutError) as error:
            if noted:
                _log.warning("%d trials wait in the journal: %s", noted, error or type(error).__name__)
            self.stats.journaled += noted
            self.behind = True
            return
        if self.behind and replay.replayed:
            _log.info("%d trials of the journal are in the store now", replay.replayed)
        self.stats.stored += replay.replayed
        self.behind = False
