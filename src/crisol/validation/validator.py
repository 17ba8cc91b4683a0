"""ML-first: answer from the cache, else trust the model where it is sure, else wargame.

::

    found = await validator.decide(Submission(parse(text), text, "CVE-2020-1747"))
    found.decision.outcome, found.decision.source, found.cached

Most answers need no waiting: :meth:`Validator.begin` gives those at once, and :meth:`Validator.finish` the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.errors import IndexUnavailable, Overloaded, UnavailableError, UnknownVulnerability
from crisol.model.policy import Policy
from crisol.records import Decision, Outcome, Prediction, Reason, Verdict
from crisol.resilience.keys import digest
from crisol.resilience.kinds import LIFETIMES, Kind
from crisol.resilience.policy import BreakerPolicy
from crisol.validation.decide import fall_back, from_model, from_verdict, guess
from crisol.wargame.referee import REFEREE_VERSION

if TYPE_CHECKING:
    from crisol.diff import Patch
    from crisol.model.predictor import Predictor
    from crisol.resilience.cache import Cache
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.catalogue import Catalogue, Pattern
    from crisol.validation.wargames import Referees

__all__ = ["DECISION", "SANDBOX", "VERDICT", "Begun", "Brain", "Found", "Submission", "Validator"]

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
"""Longer diffs, and all after two that took longer, are predicted in threads: else they would hold everybody else up."""

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
    policy: Policy
    stamp: bytes = field(init=False, repr=False)
    """Stands for :attr:`version` in keys, which are made for every request."""
    tag: str = field(init=False, repr=False)
    """By which what this model decided is found in the cache."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamp", digest(self.version, REFEREE_VERSION))
        object.__setattr__(self, "tag", f"model:{self.version[0]}")

    @property
    def version(self) -> tuple[str, str, float | None, float | None]:
        """What an answer of this model depends on."""
        accept, reject = self.policy.accept, self.policy.reject
        if self.predictor is None:
            return "", "", accept, reject
        serving = self.predictor.serving
        return serving.model_version, serving.feature_version, accept, reject


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a submission came without waiting: to an answer, where ``found`` is one.

    ``key`` is None where the vulnerability has to be looked up first. ``prediction`` is that of a model that was not
    sure; ``missing`` names the model if it was asked and failed.
    """

    submission: Submission
    brain: Brain
    pattern: Pattern | None = None
    key: bytes | None = None
    found: Found | None = None
    prediction: Prediction | None = None
    missing: tuple[str, ...] = ()


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
        self._slow = 0
        self._aside = 0
        self._aside_seats = asyncio.Semaphore(_ASIDE)

    async def decide(self, submission: Submission) -> Found:
        """Answer ML-first."""
        begun = self.begin(submission)
        return begun.found or await self.finish(begun)

    def begin(self, submission: Submission) -> Begun:
        """Answer by the cache of this process, else by a model that is sure, or go as far as that."""
        start = perf_counter()
        brain, pattern = self.brain, None
        if submission.vulnerability:
            pattern = self._catalogue.known(submission.vulnerability)
            if pattern is None:
                return Begun(submission, brain)
        key = self.key(submission, pattern, brain)
        decision = self._cache.get(DECISION, key)
        cached = decision is not None
        if decision is None:
            if brain.predictor is None or self._cache.is_shared or not self._inline(submission):
                # What another worker may know is asked for first: it may have been wargamed.
                return Begun(submission, brain, pattern, key)
            try:
                prediction = self._predict_here(brain.predictor, submission.patch, _cwe(submission, pattern))
            except (UnavailableError, TimeoutError):
                return Begun(submission, brain, pattern, key, missing=("ml_model",))
            decision = from_model(prediction, brain.policy)
            if decision is None and pattern is None:
                decision = guess(prediction)
            if decision is None:
                return Begun(submission, brain, pattern, key, prediction=prediction)
            self._cache.put(DECISION, key, decision, tags=_tags(submission, brain))
        found = Found(decision, cached, pattern, key, perf_counter() - start)
        return Begun(submission, brain, pattern, key, found)

    async def finish(self, begun: Begun) -> Found:
        """Answer what :meth:`begin` could not."""
        start = perf_counter()
        submission, pattern, key = begun.submission, begun.pattern, begun.key
        if key is None:
            pattern = await self._catalogue.find(submission.vulnerability)
            key = self.key(submission, pattern, begun.brain)
        fresh: list[None] = []

        async def compute() -> Decision:
            fresh.append(None)
            decision = await self._decide(begun, pattern)
            if decision.degraded or decision.outcome is Outcome.INCONCLUSIVE:
                raise _Passing(decision)
            return decision

        try:
            decision = await self._cache.get_or_compute(
                DECISION, key, compute, tags=_tags(submission, begun.brain)
            )
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
        tags = (self.brain.tag, f"vulnerability:{found.pattern.id if found.pattern else ''}")
        await self._cache.get_or_compute(DECISION, found.key, lambda: truth, tags=tags)

    def key(self, submission: Submission, pattern: Pattern | None, brain: Brain | None = None) -> bytes:
        """Return the key of the decision: everything that it depends on, the model's version included."""
        return DECISION.key(
            submission.patch.identity,
            submission.vulnerability,
            pattern.content_hash if pattern is not None else "",
            submission.cwe,
            (brain or self.brain).stamp,
        )

    async def wargame(self, submission: Submission, pattern: Pattern) -> Verdict:
        """Run the wargame behind the sandbox's breaker, or return what it said before."""
        verdict, _ = await self._verdict(submission, pattern)
        return verdict

    async def _decide(self, begun: Begun, pattern: Pattern | None) -> Decision:
        submission, brain = begun.submission, begun.brain
        prediction, missing = begun.prediction, begun.missing
        if prediction is None and not missing:
            prediction = await self._predict(submission, pattern, brain)
            missing = ("ml_model",) if prediction is None else ()
        if prediction is not None:
            decision = from_model(prediction, brain.policy)
            if decision is not None:
                return decision
        if pattern is None:
            return guess(prediction) if prediction is not None else fall_back(None, None, missing)
        try:
            verdict, _ = await self._verdict(submission, pattern)
        except Overloaded:
            raise
        except (UnavailableError, UnknownVulnerability):
            return fall_back(prediction, None, (*missing, "sandbox"))
        if verdict.outcome is Outcome.INCONCLUSIVE:
            return fall_back(prediction, verdict, (*missing, "sandbox"))
        return from_verdict(verdict, prediction, missing)

    async def _predict(
        self, submission: Submission, pattern: Pattern | None, brain: Brain
    ) -> Prediction | None:
        """Ask the model; None where there is none, or it does not answer."""
        if brain.predictor is None:
            return None
        patch, cwe = submission.patch, _cwe(submission, pattern)
        try:
            if self._inline(submission):
                return self._predict_here(brain.predictor, patch, cwe)
            return await self._predict_aside(
                brain.predictor, patch, cwe, short=len(submission.text) <= _INLINE_CHARACTERS
            )
        except (UnavailableError, TimeoutError):
            return None

    def _inline(self, submission: Submission) -> bool:
        """Return whether the model may be asked while everybody else waits."""
        return self._slow < 2 and len(submission.text) <= _INLINE_CHARACTERS

    def _predict_here(self, predictor: Predictor, patch: Patch, cwe: str) -> Prediction:
        prediction = self._model.call_sync(predictor.predict, patch, cwe)
        self._learn(prediction)
        return prediction

    def _learn(self, prediction: Prediction) -> None:
        """Take the model for slow after two slow answers in a row: a single one may be the machine's doing."""
        self._slow = 0 if prediction.seconds <= _INLINE_SECONDS else self._slow + 1

    async def _predict_aside(
        self, predictor: Predictor, patch: Patch, cwe: str, *, short: bool
    ) -> Prediction:
        if self._aside >= _ASIDE_LINE:
            raise UnavailableError(f"{self._aside} predictions are under way already")

        async def predict() -> Prediction:
            async with self._aside_seats:
                return await asyncio.to_thread(predictor.predict, patch, cwe)

        self._aside += 1
        try:
            prediction = await self._model.call(predict)
        finally:
            self._aside -= 1
        if short:
            self._learn(prediction)
        return prediction

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


def _tags(submission: Submission, brain: Brain) -> tuple[str, ...]:
    return brain.tag, f"vulnerability:{submission.vulnerability}"


def _cwe(submission: Submission, pattern: Pattern | None) -> str:
    return submission.cwe or (pattern.cwe if pattern is not None else "")
