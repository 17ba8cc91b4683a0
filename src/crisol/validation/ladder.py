"""The ladder: rungs that are asked one after the other, until one of them decides about a patch.

A rung is a callable that returns a decision with its reason, or None, which passes the case to the next
rung::

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
"""The reasons of a wargame that failed through no fault of the patch; it is tried again."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to the ladder without the text of its patch, small enough to keep thousands in memory.

    ``patch`` is the identity of the patch. ``vulnerability`` (an id) and ``cwe`` are "" if the caller named
    none. ``cut`` is a line for people on what was corrected in the diff and which of its files were left out;
    it is "" if nothing was corrected or left out.
    """

    patch: str
    vulnerability: str = ""
    cwe: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to the ladder: a patch and all that the caller said of it.

    - ``patch``: the parsed patch. ``text``: its text.
    - ``vulnerability`` (an id), ``cwe``: "" if the caller named none.
    - ``client``: the caller's address, by which the queue of wargames is kept fair.
    - ``cut``: a line for people on what was corrected in the diff and which of its files were left out; "" if
      nothing was.
    - ``misfit``: why the patch does not apply to the release, "" if it applies. With a ``misfit`` the
      decision is inconclusive.
    - ``files``: the new texts of the patched files by path, None for a deleted file. It is empty if the
      release is not available.
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
        """This request without the text of its patch."""
        return Question(self.patch.identity, self.vulnerability, self.cwe, self.cut)


@dataclass(slots=True)
class Case:
    """A submission on its way through the ladder, with the results of the rungs that did not decide it.

    ``pattern`` is the registered vulnerability, None if it is not registered. ``prediction`` is the model's
    prediction, None before the model was asked. ``verdict`` is the inconclusive verdict of a wargame whose
    sandbox or baseline failed, which is no fault of the patch; None if there was none. ``missing`` names the
    dependencies that were unavailable: ``memory``, ``ml_model`` or ``sandbox``.
    """

    submission: Submission
    pattern: Pattern | None
    prediction: Prediction | None = None
    verdict: Verdict | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def cwe(self) -> str:
        """The CWE that the caller names, else that of the registered vulnerability, else ""."""
        return self.submission.cwe or (self.pattern.cwe if self.pattern is not None else "")


class Rung(Protocol):
    """One step of the ladder: an ``async`` function of a case that returns a decision or None.

    None passes the case to the next rung. A decision says in ``evidence`` why it was made. If a dependency is
    unavailable, a rung adds its name to ``case.missing`` and returns None. An exception that a rung raises
    ends the ladder and reaches the caller of :meth:`~crisol.validation.validator.Validator.decide`.
    """

    @property
    def stamp(self) -> str:
        """A text that changes whenever the rung's decision on a case could change, such as with a new model.

        It is a part of the cache key of decisions.
        """
        ...

    async def __call__(self, case: Case) -> Decision | None:
        """Return the decision on ``case``, or None to pass it to the next rung."""
        ...


Learner = Callable[[Submission, "Pattern", "Verdict"], Awaitable[None]]
"""A function by which a rung learns from the verdict of a wargame."""


def from_verdict(verdict: Verdict, prediction: Prediction | None, degraded: tuple[str, ...] = ()) -> Decision:
    """Return the decision that a wargame's ``verdict`` gives; its confidence is 1, or 0 if inconclusive.

    ``prediction`` is the model's prediction, None if the model was not asked. ``degraded`` names the
    dependencies that were unavailable, such as ``ml_model``.
    """
    reason = verdict.reason
    failed = next((phase for phase in verdict.phases if reason is not None and phase.reason is reason), None)
    evidence = "every phase passed" if failed is None else f"the phase {failed.name} failed"
    if verdict.left_out:
        evidence += f"; stopped there, without {', '.join(verdict.left_out)}"
    return Decision(
        verdict.outcome,
        Source.WARGAME,
        0.0 if verdict.outcome is Outcome.INCONCLUSIVE else 1.0,
        reason=reason,
        detail="" if failed is None else failed.detail,
        prediction=prediction,
        verdict=verdict,
        degraded=degraded,
        evidence=evidence,
    )


def not_judged(submission: Submission) -> Decision:
    """Return the inconclusive decision on a submission whose patch does not apply to the release.

    The decision's ``detail`` is ``submission.misfit``, which says why.
    """
    return Decision(
        Outcome.INCONCLUSIVE,
        Source.WARGAME,
        0.0,
        reason=Reason.DOES_NOT_APPLY,
        detail=submission.misfit,
        evidence="the patch does not fit the release",
    )


def fall_back(case: Case) -> Decision:
    """Return the decision for a case that no rung could decide; the decision's ``outcome`` is None.

    The decision contains the model's prediction, if there is one, and names the unavailable dependencies.
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
