"""ML-first: answer from the cache, else climb the ladder until a rung decides, else wargame.

::

    submission = await validator.fitted(Submission(parse(text), text, "CVE-2020-1747"))
    found = await validator.decide(submission)
    found.decision.outcome, found.decision.source, found.cached
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from crisol.errors import (
    IndexUnavailable,
    Overloaded,
    PatchDoesNotApply,
    UnavailableError,
    UnknownVulnerability,
)
from crisol.records import Decision, Reason, Verdict
from crisol.resilience.kinds import LIFETIMES, Kind
from crisol.resilience.policy import BreakerPolicy
from crisol.validation.ladder import OURS, Case, fall_back, from_verdict, not_judged
from crisol.wargaming.referee import REFEREE_VERSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from crisol.records import Source
    from crisol.resilience.cache import Cache
    from crisol.resilience.guard import CircuitBreaker
    from crisol.validation.catalogue import Catalogue, Pattern
    from crisol.validation.ladder import Learner, Question, Rung, Submission
    from crisol.validation.model_rung import ModelRung
    from crisol.validation.wargames import Referees

__all__ = ["DECISION", "SANDBOX", "VERDICT", "Validated", "Validator"]

T = TypeVar("T")

DECISION: Kind[Decision] = Kind("decision", Decision, ttl=LIFETIMES["prediction"])
VERDICT: Kind[Verdict] = Kind("verdict", Verdict, ttl=LIFETIMES["prediction"])

SANDBOX = BreakerPolicy(
    consecutive_failures=5,
    recovery_seconds=30.0,
    record=(UnavailableError,),
    ignore=(Overloaded, IndexUnavailable),
    is_failure=lambda verdict: (
        isinstance(verdict, Verdict) and verdict.phases[0].reason is Reason.SANDBOX_FAILED
    ),
)
"""Only a sandbox that does not start, or fails in the first phase, which runs the release as it is, counts.

A full line, a folder that changed, a release that cannot be had and whatever a patch brings about do not.
"""


@dataclass(frozen=True, slots=True)
class Validated:
    """A decision, and how it was made.

    ``cached`` says that the decision came from the cache or from another caller's simultaneous request.
    ``pattern`` is None for an unregistered vulnerability. ``key`` is the decision's cache key; ``seconds`` is
    how long this answer took.
    """

    decision: Decision
    cached: bool
    pattern: Pattern | None
    key: bytes
    seconds: float


class _NotKept(Exception):
    """Carries a value past the cache that must not be kept: it is worse than what comes tomorrow."""

    def __init__(self, value: Any) -> None:
        super().__init__("not worth keeping")
        self.value = value


class Validator:
    """The ladder: decides about patches by cache, ``rungs``, ``model``, wargame and fallback, in this order.

    The first that can decide a patch does. ``referees`` run the wargames, behind the circuit breaker
    ``sandbox``. Each function in ``learners`` is called with every wargame's verdict. ``catalogue`` finds
    vulnerabilities; for an unregistered one no wargame is run. ``off`` holds the sources of the rungs that
    may not decide; such a rung still runs. An unavailable dependency is skipped and named in ``degraded``;
    such a decision is not cached. Use it within one event loop.
    """

    def __init__(
        self,
        model: ModelRung,
        cache: Cache,
        catalogue: Catalogue,
        referees: Referees,
        *,
        sandbox: CircuitBreaker,
        rungs: Sequence[Rung] = (),
        learners: Sequence[Learner] = (),
    ) -> None:
        self.model = model
        self.off: frozenset[Source] = frozenset()
        self._learners = learners
        self._rungs: tuple[Rung, ...] = (*rungs, model)
        self._cache = cache
        self._catalogue = catalogue
        self._referees = referees
        self._sandbox = sandbox

    def recall(self, question: Question) -> Validated | None:
        """Return the decision on ``question`` from the cache of this process; None where it is not there.

        It reads no file and does not wait.
        """
        start = perf_counter()
        pattern = self._catalogue.known(question.vulnerability) if question.vulnerability else None
        if question.vulnerability and pattern is None:
            return None
        key = self.key(question, pattern)
        decision = self._cache.get(DECISION, key)
        if decision is None:
            return None
        return Validated(decision, cached=True, pattern=pattern, key=key, seconds=perf_counter() - start)

    async def fitted(self, submission: Submission) -> Submission:
        """Return the submission with its patch reduced to the files of the vulnerability's release.

        Features, cache keys and the wargame all use that reduced patch. ``misfit`` of the result says why the
        patch does not apply, empty if it does. For an unregistered vulnerability the submission is returned
        unchanged.
        """
        pattern = await self._find(submission)
        if pattern is None:
            return submission
        try:
            fit = await self._referees.fit(pattern, submission.text)
        except PatchDoesNotApply as error:
            return replace(submission, misfit=str(error))
        return replace(
            submission, patch=fit.patch, text=str(fit.patch), cut=fit.detail, misfit="", files=fit.files
        )

    async def decide(self, submission: Submission) -> Validated:
        """Decide about a patch by the ladder; a wargame runs only if no rung before it decides.

        Raises :class:`~crisol.errors.Overloaded` where the queue of wargames is full.
        """
        start = perf_counter()
        question, pattern = submission.question, await self._find(submission)
        if submission.misfit:
            return self._not_judged(submission, pattern, start)
        key, tag, stamps = self.key(question, pattern), self.model.served.tag, self._stamps()

        def keeps(decision: Decision) -> bool:
            # A rung that was replaced meanwhile may have decided: its decision does not belong under this
            # key.
            return not decision.degraded and stamps == self._stamps()

        with self._referees.attended(_verdict_key(question, pattern)):
            decision, cached = await self._once(
                DECISION,
                key,
                (tag, f"vulnerability:{submission.vulnerability}"),
                lambda: self._climb(Case(submission, pattern)),
                keeps,
            )
        return Validated(decision, cached, pattern, key, perf_counter() - start)

    async def validate(self, submission: Submission) -> Validated:
        """Decide about a patch by its wargame's verdict alone; the verdict may come from the cache.

        Raises :class:`~crisol.errors.UnknownVulnerability` for an unregistered vulnerability, and
        :class:`~crisol.errors.UnavailableError` where no wargame can be run, such as with a full queue.
        """
        start = perf_counter()
        pattern = await self._find(submission)
        if pattern is None:
            raise UnknownVulnerability(
                f"no vulnerability {submission.vulnerability!r} is registered; "
                "ask ml-first for a prediction alone"
            )
        if submission.misfit:
            return self._not_judged(submission, pattern, start)
        key = _verdict_key(submission.question, pattern)
        with self._referees.attended(key):
            verdict, cached = await self._verdict(submission, pattern)
        return Validated(from_verdict(verdict, None), cached, pattern, key, perf_counter() - start)

    def _not_judged(self, submission: Submission, pattern: Pattern | None, start: float) -> Validated:
        key = self.key(submission.question, pattern)
        return Validated(
            not_judged(submission), cached=False, pattern=pattern, key=key, seconds=perf_counter() - start
        )

    async def wargame(self, submission: Submission, pattern: Pattern) -> Verdict:
        """Return the verdict on the patch of ``submission``, from the cache or by a wargame.

        ``pattern`` is the vulnerability. Raises as :meth:`validate` does.
        """
        with self._referees.attended(_verdict_key(submission.question, pattern)):
            verdict, _ = await self._verdict(submission, pattern)
        return verdict

    async def correct(self, validated: Validated, verdict: Verdict) -> None:
        """Replace the decision ``validated`` in the cache by the ``verdict`` of a wargame that ran after it.

        A verdict that is inconclusive because the sandbox failed changes nothing.
        """
        if verdict.reason in OURS:
            return
        truth = from_verdict(verdict, validated.decision.prediction)
        await self._cache.delete(validated.key)
        tags = (self.model.served.tag, f"vulnerability:{validated.pattern.id if validated.pattern else ''}")
        await self._cache.get_or_compute(DECISION, validated.key, lambda: truth, tags=tags)

    def key(self, question: Question, pattern: Pattern | None) -> bytes:
        """Return the cache key of a decision.

        It is a hash of the question, the vulnerability's content hash, and the stamp of every rung.
        ``pattern`` is None for an unregistered vulnerability.
        """
        return DECISION.key(
            question.patch,
            question.vulnerability,
            pattern.content_hash if pattern is not None else "",
            question.cwe,
            REFEREE_VERSION,
            *self._stamps(),
        )

    def _stamps(self) -> list[str]:
        return [*(rung.stamp for rung in self._rungs), *sorted(self.off)]

    async def _climb(self, case: Case) -> Decision:
        rungs: tuple[Callable[[Case], Awaitable[Decision | None]], ...] = (*self._rungs, self._wargamed)
        for rung in rungs:
            decision = await rung(case)
            if decision is not None and decision.source not in self.off:
                return decision
        return fall_back(case)

    async def _wargamed(self, case: Case) -> Decision | None:
        """Be the last rung but the fallback: the truth, where a wargame can be run."""
        if case.pattern is None:
            return None
        try:
            verdict, _ = await self._verdict(case.submission, case.pattern)
        except Overloaded:
            raise
        except (UnavailableError, UnknownVulnerability):
            case.missing.append("sandbox")
            return None
        if verdict.reason in OURS:
            case.verdict = verdict
            case.missing.append("sandbox")
            return None
        return from_verdict(verdict, case.prediction, tuple(case.missing))

    async def _verdict(self, submission: Submission, pattern: Pattern) -> tuple[Verdict, bool]:
        key = _verdict_key(submission.question, pattern)

        async def judged() -> Verdict:
            verdict = await self._sandbox.call(
                self._referees.judge, pattern, submission.text, key=key, client=submission.client
            )
            for learn in self._learners:
                await learn(submission, pattern, verdict)
            return verdict

        return await self._once(
            VERDICT,
            key,
            (f"vulnerability:{pattern.id}",),
            judged,
            lambda verdict: verdict.reason not in OURS,
        )

    async def _find(self, submission: Submission) -> Pattern | None:
        return await self._catalogue.find(submission.vulnerability) if submission.vulnerability else None

    async def _once(
        self,
        kind: Kind[T],
        key: bytes,
        tags: tuple[str, ...],
        compute: Callable[[], Awaitable[T]],
        keeps: Callable[[T], bool],
    ) -> tuple[T, bool]:
        """Return the cached verdict, or compute it once for all current callers.

        Also return whether another caller computed it.
        """
        fresh = False

        async def work() -> T:
            nonlocal fresh
            fresh = True
            value = await compute()
            if not keeps(value):
                raise _NotKept(value)
            return value

        try:
            value = await self._cache.get_or_compute(kind, key, work, tags=tags)
        except _NotKept as passing:
            value = passing.value
        return cast("T", value), not fresh


def _verdict_key(question: Question, pattern: Pattern | None) -> bytes:
    """Return the key of a wargame; of none where there is nothing to wargame against."""
    if pattern is None:
        return b""
    return VERDICT.key(question.patch, pattern.id, pattern.content_hash, REFEREE_VERSION)
