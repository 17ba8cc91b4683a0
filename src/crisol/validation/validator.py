"""Decide about patches: answer from the cache, else ask rung by rung, else run a wargame.

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
"""The breaker policy of the sandbox.

A failure is a sandbox that does not start, or that fails in the baseline, which runs the unpatched release. A
full queue, a changed folder, a release that cannot be downloaded and all effects of a patch are none.
"""


@dataclass(frozen=True, slots=True)
class Validated:
    """A decision of a :class:`Validator`, and how it was made.

    ``cached`` is True if the decision came from the cache, or was just made for another request with the same
    question. ``pattern`` is the registered vulnerability, None if it is not registered. ``key`` is the cache
    key of the decision; in a result of :meth:`Validator.validate` it is the cache key of the verdict, unless
    the patch does not apply. ``seconds`` is how long this answer took.
    """

    decision: Decision
    cached: bool
    pattern: Pattern | None
    key: bytes
    seconds: float


class _NotKept(Exception):
    """An exception by which a computation returns ``value`` through a cache that must not store the value."""

    def __init__(self, value: Any) -> None:
        super().__init__("not worth keeping")
        self.value = value


class Validator:
    """The ladder: it decides about patches by cache, ``rungs``, ``model``, wargame, fallback, in that order.

    The decision is the first one that a step of this order returns. ``cache`` holds decisions and verdicts.
    ``referees`` run the wargames, guarded by the circuit breaker ``sandbox``. ``catalogue`` finds
    vulnerabilities; for a vulnerability that is not registered no wargame runs. After every wargame, each
    function in ``learners`` is called: ``await learner(submission, pattern, verdict)``.

    The attribute ``off`` is a frozenset of :class:`~crisol.records.Source`: decisions of these rungs are
    ignored. If a dependency is unavailable, the ladder goes on without it, and the decision names the
    dependency in ``degraded``; such a decision is not cached. Use it in one event loop.
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
        """Return the decision on ``question`` that this process has cached, or None.

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
        """Return a copy of ``submission`` with the cut patch: the patch reduced to files of the release.

        The copy has new values of ``patch``, ``text``, ``cut``, ``misfit`` and ``files``. If the patch does
        not apply, only ``misfit`` is new: it says why. If the vulnerability is not registered, the submission
        is returned unchanged. Raises :class:`~crisol.errors.DiffError` for a text that is not a diff.
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
        """Return the decision of the ladder on a patch, in a :class:`Validated` that says how it was made.

        A wargame runs only if no earlier rung decides. If ``submission.misfit`` says that the patch does not
        apply to the release, the decision is inconclusive, and no rung is asked. Raises
        :class:`~crisol.errors.Overloaded` if the queue of wargames has no place for the client.
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
        """Return the decision of a wargame on a patch, in a :class:`Validated` that says how it was made.

        The verdict of an earlier wargame may come from the cache. A submission with a ``misfit`` gets an
        inconclusive decision without a wargame. Raises :class:`~crisol.errors.UnknownVulnerability` if the
        vulnerability is not registered, and :class:`~crisol.errors.UnavailableError` if no wargame can run;
        its subclass :class:`~crisol.errors.Overloaded` says that the queue has no place for the client.
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

        ``pattern`` is the vulnerability. Raises :class:`~crisol.errors.UnavailableError` if no wargame can
        run, and :class:`~crisol.errors.UnknownVulnerability` if the vulnerability's folder has changed or is
        missing.
        """
        with self._referees.attended(_verdict_key(submission.question, pattern)):
            verdict, _ = await self._verdict(submission, pattern)
        return verdict

    async def correct(self, validated: Validated, verdict: Verdict) -> None:
        """Replace the cached decision of ``validated`` by the decision that ``verdict`` gives.

        ``verdict`` is that of a wargame which ran after the decision. Nothing changes if the wargame failed
        on this machine (sandbox or baseline). Raises :class:`~crisol.errors.UnavailableError` if the shared
        tier of the cache does not answer.
        """
        if verdict.reason in OURS:
            return
        truth = from_verdict(verdict, validated.decision.prediction)
        await self._cache.delete(validated.key)
        tags = (self.model.served.tag, f"vulnerability:{validated.pattern.id if validated.pattern else ''}")
        await self._cache.get_or_compute(DECISION, validated.key, lambda: truth, tags=tags)

    def key(self, question: Question, pattern: Pattern | None) -> bytes:
        """Return the cache key of the decision on ``question``: 32 bytes.

        The key depends on the question, the vulnerability's content hash, and the versions of the referee and
        of all that the rungs use. ``pattern`` is the question's vulnerability if it is registered, otherwise
        None.
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
        if case.pattern is None:
            return None
        try:
            verdict, _ = await self._verdict(case.submission, case.pattern)
        except Overloaded:
            raise
        except (UnavailableError, UnknownVulnerability):
            case.missing.append("sandbox")
            return None
        if verdict.reason in OURS:  # this machine failed, not the patch
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
        """Return (value, shared) from the cache, or compute the value once for all callers that wait for it.

        ``shared`` is False if this call computed the value. The value is stored only if ``keeps(value)`` is
        true.
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
    if pattern is None:
        return b""
    return VERDICT.key(question.patch, pattern.id, pattern.content_hash, REFEREE_VERSION)
