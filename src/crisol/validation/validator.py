"""ML-first: answer from the cache, else trust the model where it is sure, else wargame.

::

    found = await validator.decide(Submission(parse(text), text, "CVE-2020-1747"))
    found.decision.outcome, found.decision.source, found.cached
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.errors import IndexUnavailable, Overloaded, UnavailableError, UnknownVulnerability
from crisol.records import Decision, Outcome, Prediction, Reason, Verdict
from crisol.resilience.kinds import LIFETIMES, Kind
from crisol.resilience.policy import BreakerPolicy
from crisol.validation.decide import Thresholds, fall_back, from_model, from_verdict, guess
from crisol.wargame.referee import REFEREE_VERSION

if TYPE_CHECKING:
    from crisol.diff import Patch
    from crisol.model.predictor import Predictor
    from crisol.resilience.cache import Cache
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.catalogue import Catalogue, Pattern
    from crisol.validation.referees import Referees

__all__ = ["DECISION", "SANDBOX", "VERDICT", "Brain", "Found", "Submission", "Validator"]

DECISION: Kind[Decision] = Kind("decision", Decision, ttl=LIFETIMES["prediction"])
VERDICT: Kind[Verdict] = Kind("verdict", Verdict, ttl=LIFETIMES["prediction"])

SANDBOX = BreakerPolicy(
    consecutive_failures=5,
    recovery_seconds=30.0,
    ignore=(Overloaded, UnknownVulnerability, IndexUnavailable),
    is_failure=lambda verdict: isinstance(verdict, Verdict) and verdict.reason is Reason.SANDBOX_FAILED,
)
"""Only our own failure counts: a full line, a folder that changed and a release that cannot be had are not its fault."""

_INLINE_CHARACTERS = 32_768
_INLINE_SECONDS = 0.05
"""Longer diffs, and all after one that took longer, are predicted in threads: else they would hold everybody else up."""

_ASIDE, _ASIDE_LINE = 2, 4
"""At a time, and in all; more are not predicted but wargamed, as without a model."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed patch, its text, and the vulnerability and weakness that it is said to mend; both may be empty."""

    patch: Patch
    text: str
    vulnerability: str = ""
    cwe: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A decision and how it was come by; ``seconds`` is what it took. ``pattern`` is None where none is known."""

    decision: Decision
    cached: bool
    pattern: Pattern | None
    key: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Brain:
    """The model in use, replaced as a whole when there is a new one; None where none can be loaded."""

    predictor: Predictor | None
    thresholds: Thresholds

    @property
    def version(self) -> tuple[str, str, float | None, float | None]:
        """What an answer of this model depends on."""
        accept, reject = self.thresholds.accept, self.thresholds.reject
        if self.predictor is None:
            return "", "", accept, reject
        serving = self.predictor.serving
        return serving.model_version, serving.feature_version, accept, reject


class _Passing(Exception):
    """Carries a decision that must not be kept past the cache: it is worse than what comes tomorrow."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"{decision.outcome} is not worth keeping: {decision.reason or decision.degraded}")
        self.decision = decision


class Validator:
    """Decides about patches, for one event loop.

    ``model`` and ``sandbox`` are the breakers before the two. A vulnerability that is not known is never wargamed;
    a dependency that is away makes a worse answer, named in ``degraded`` and not kept, and never none. Only a full
    line of wargames turns a caller away, with :class:`~crisol.errors.Overloaded`.
    """

    def __init__(
        self,
        brain: Brain,
        cache: Cache,
        catalogue: Catalogue,
        referees: Referees,
        *,
        model: CircuitBreaker,
        sandbox: CircuitBreaker,
    ) -> None:
        self.brain = brain
        self._cache = cache
        self._catalogue = catalogue
        self._referees = referees
        self._model = model
        self._sandbox = sandbox
        self._quick = True
        self._aside = 0
        self._aside_seats = asyncio.Semaphore(_ASIDE)

    async def decide(self, submission: Submission) -> Found:
        """Answer ML-first."""
        start = perf_counter()
        brain = self.brain
        pattern = await self._catalogue.find(submission.vulnerability) if submission.vulnerability else None
        key = self.key(submission, pattern)
        tags = (f"model:{brain.version[0]}", f"vulnerability:{submission.vulnerability}")
        fresh: list[None] = []

        async def compute() -> Decision:
            fresh.append(None)
            decision = await self._decide(submission, pattern, brain)
            if decision.degraded or decision.outcome is Outcome.INCONCLUSIVE:
                raise _Passing(decision)
            return decision

        try:
            decision = await self._cache.get_or_compute(DECISION, key, compute, tags=tags)
        except _Passing as passing:
            decision = passing.decision
        assert decision is not None
        return Found(decision, not fresh, pattern, key, perf_counter() - start)

    async def validate(self, submission: Submission) -> Found:
        """Answer by wargame alone.

        Raises :class:`~crisol.errors.UnknownVulnerability` where there is nothing to wargame against, and
        :class:`~crisol.errors.UnavailableError` where no wargame can be run.
        """
        start = perf_counter()
        pattern = await self._catalogue.find(submission.vulnerability) if submission.vulnerability else None
        if pattern is None:
            raise UnknownVulnerability(
                f"no vulnerability {submission.vulnerability!r} is registered; ask ml-first for a prediction alone"
            )
        verdict, cached = await self._verdict(submission, pattern)
        key = _verdict_key(submission, pattern)
        return Found(from_verdict(verdict, None), cached, pattern, key, perf_counter() - start)

    async def correct(self, found: Found, verdict: Verdict) -> None:
        """Replace what the cache holds of a decision by what a wargame said later."""
        if verdict.outcome is Outcome.INCONCLUSIVE:
            return
        truth = from_verdict(verdict, found.decision.prediction)
        await self._cache.delete(found.key)
        version = self.brain.version[0]
        tags = (f"model:{version}", f"vulnerability:{found.pattern.id if found.pattern else ''}")
        await self._cache.get_or_compute(DECISION, found.key, lambda: truth, tags=tags)

    def key(self, submission: Submission, pattern: Pattern | None) -> bytes:
        """Return the key of the decision: everything that it depends on, the model's version included."""
        content = pattern.content_hash if pattern is not None else ""
        return DECISION.key(
            submission.patch.identity,
            submission.vulnerability,
            content,
            submission.cwe,
            self.brain.version,
            REFEREE_VERSION,
        )

    async def wargame(self, submission: Submission, pattern: Pattern) -> Verdict:
        """Run the wargame behind the sandbox's breaker, or return what it said before."""
        verdict, _ = await self._verdict(submission, pattern)
        return verdict

    async def _decide(self, submission: Submission, pattern: Pattern | None, brain: Brain) -> Decision:
        missing: list[str] = []
        prediction = await self._predict(submission, pattern, brain, missing)
        if prediction is not None:
            decision = from_model(prediction, brain.thresholds)
            if decision is not None:
                return decision
        if pattern is None:
            return guess(prediction) if prediction is not None else fall_back(None, None, tuple(missing))
        try:
            verdict, _ = await self._verdict(submission, pattern)
        except Overloaded:
            raise
        except (UnavailableError, UnknownVulnerability):
            return fall_back(prediction, None, (*missing, "sandbox"))
        if verdict.outcome is Outcome.INCONCLUSIVE:
            return fall_back(prediction, verdict, (*missing, "sandbox"))
        return from_verdict(verdict, prediction, tuple(missing))

    async def _predict(
        self, submission: Submission, pattern: Pattern | None, brain: Brain, missing: list[str]
    ) -> Prediction | None:
        predictor = brain.predictor
        cwe = submission.cwe or (pattern.cwe if pattern is not None else "")
        if predictor is None:
            missing.append("ml_model")
            return None
        try:
            short = len(submission.text) <= _INLINE_CHARACTERS
            if short and self._quick:
                prediction = self._model.call_sync(predictor.predict, submission.patch, cwe)
            else:
                prediction = await self._predict_aside(predictor, submission.patch, cwe)
        except (UnavailableError, TimeoutError):
            missing.append("ml_model")
            return None
        if short:
            self._quick = prediction.seconds <= _INLINE_SECONDS
        return prediction

    async def _predict_aside(self, predictor: Predictor, patch: Patch, cwe: str) -> Prediction:
        if self._aside >= _ASIDE_LINE:
            raise UnavailableError(f"{self._aside} predictions are under way already")

        async def predict() -> Prediction:
            async with self._aside_seats:
                return await asyncio.to_thread(predictor.predict, patch, cwe)

        self._aside += 1
        try:
            return await self._model.call(predict)
        finally:
            self._aside -= 1

    async def _verdict(self, submission: Submission, pattern: Pattern) -> tuple[Verdict, bool]:
        fresh: list[None] = []

        async def compute() -> Verdict:
            fresh.append(None)
            verdict = await self._sandbox.call(self._referees.judge, pattern, submission.text)
            if verdict.outcome is Outcome.INCONCLUSIVE:
                raise _Passing(from_verdict(verdict, None))
            return verdict

        key = _verdict_key(submission, pattern)
        try:
            verdict = await self._cache.get_or_compute(
                VERDICT, key, compute, tags=(f"vulnerability:{pattern.id}",)
            )
        except _Passing as passing:
            verdict = passing.decision.verdict
        assert verdict is not None
        return verdict, not fresh


def _verdict_key(submission: Submission, pattern: Pattern) -> bytes:
    return VERDICT.key(submission.patch.identity, pattern.id, pattern.content_hash, REFEREE_VERSION)
