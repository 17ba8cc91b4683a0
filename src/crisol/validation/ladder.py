"""The ladder: what may decide about a patch, rung by rung, until one of them does.

A rung is a callable that decides, and says why, or hands on::

    class SameProgram:
        stamp = "same-program-1"

        async def __call__(self, case: Case) -> Decision | None:
            if case.pattern is None or changes_something(case.submission.patch):
                return None
            return Decision(Outcome.INVALID, Source.MODEL, 1.0, evidence="no syntax tree changes")

:class:`~crisol.validation.validator.Validator` takes such rungs and asks them in order, before the model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from crisol.records import Decision, Outcome, Reason, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisol.diff import Patch
    from crisol.records import Prediction, Verdict
    from crisol.validation.catalogue import Pattern

__all__ = [
    "OURS",
    "Case",
    "Learner",
    "Question",
    "Rung",
    "Submission",
    "fall_back",
    "from_verdict",
    "not_judged",
]

OURS = frozenset({Reason.BASELINE_FAILED, Reason.SANDBOX_FAILED})
"""The reasons of a wargame that could not be run here: it says nothing of the patch, and is tried again."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question without the text of the patch: small enough to keep thousands in memory.

    ``patch`` is the identity of the diff; ``vulnerability`` and ``cwe`` may be empty. ``cut`` says what was
    left out of the text that came.
    """

    patch: str
    vulnerability: str = ""
    cwe: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed patch, its text, and the ids of the vulnerability and weakness.

    Both ids may be empty. ``client`` is the caller whose share of the line of wargames it takes. ``cut`` says
    what was left out of the text that came, and ``misfit`` why the patch cannot be laid over the release;
    then it is not judged. ``files`` are the release's files as the patch makes them, None for one that it
    deletes; there are none where the release is not at hand.
    """

    patch: Patch
    text: str
    vulnerability: str = ""
    cwe: str = ""
    client: str = ""
    cut: str = ""
    misfit: str = ""
    files: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        """What it asks."""
        return Question(self.patch.identity, self.vulnerability, self.cwe, self.cut)


@dataclass(slots=True)
class Case:
    """A submission on its way up the ladder, and what the rungs found out that did not decide.

    ``pattern`` is None where the vulnerability is not registered. ``missing`` names the dependencies that a
    rung needed and did not get; ``verdict`` is that of a wargame that could not be run to its end here.
    """

    submission: Submission
    pattern: Pattern | None
    prediction: Prediction | None = None
    verdict: Verdict | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def cwe(self) -> str:
        """The weakness as the caller names it, else as the vulnerability's folder does."""
        return self.submission.cwe or (self.pattern.cwe if self.pattern is not None else "")


class Rung(Protocol):
    """Decides a case, or hands it on by returning None.

    A decision names its ``evidence``. A dependency that is away is added to ``case.missing`` and no error;
    whatever is raised reaches the caller.
    """

    @property
    def stamp(self) -> str:
        """The rung's inputs other than the case; they are part of the cache key of its decisions."""
        ...

    async def __call__(self, case: Case) -> Decision | None:
        """Return the decision, or None."""
        ...


Learner = Callable[[Submission, "Pattern", "Verdict"], Awaitable[None]]
"""What a rung does with the verdict of a wargame."""


def from_verdict(verdict: Verdict, prediction: Prediction | None, degraded: tuple[str, ...] = ()) -> Decision:
    """Return the wargame's decision; an inconclusive verdict has confidence 0."""
    reason = verdict.reason
    failed = next((phase for phase in verdict.phases if reason is not None and phase.reason is reason), None)
    return Decision(
        verdict.outcome,
        Source.WARGAME,
        0.0 if verdict.outcome is Outcome.INCONCLUSIVE else 1.0,
        reason=reason,
        detail="" if failed is None else failed.detail,
        prediction=prediction,
        verdict=verdict,
        degraded=degraded,
        evidence="every phase passed" if failed is None else f"the phase {failed.name} failed",
    )


def not_judged(submission: Submission) -> Decision:
    """Return the decision for a patch that does not fit its release: neither valid nor invalid."""
    return Decision(
        Outcome.INCONCLUSIVE,
        Source.WARGAME,
        0.0,
        reason=Reason.DOES_NOT_APPLY,
        detail=submission.misfit,
        evidence="the patch does not fit the release",
    )


def fall_back(case: Case) -> Decision:
    """Return the decision when no rung could decide.

    Its outcome is unknown; it carries the model's prediction.
    """
    reason = None if case.verdict is None else case.verdict.reason
    return Decision(
        None,
        Source.FALLBACK,
        0.0,
        reason=reason,
        prediction=case.prediction,
        verdict=case.verdict,
        advisory=True,
        degraded=tuple(case.missing),
        evidence="the vulnerability is not registered" if case.pattern is None else "no wargame could be run",
    )
