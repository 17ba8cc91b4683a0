"""The JSON bodies of requests for a decision and of their answers, checked and bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from crisol.diff import Patch
from crisol.errors import PatchDoesNotApply
from crisol.service.problems import Problem
from crisol.validation.ladder import Submission
from crisol.wargaming.fitting import fitted

if TYPE_CHECKING:
    from crisol.validation.ladder import Question
    from crisol.validation.validator import Validated

__all__ = ["Answer", "Ask", "PhaseReport", "Timings", "answer_of", "read_submission"]

_CWE = re.compile(r"(?:CWE-[1-9][0-9]{0,4})?", re.ASCII)


class Ask(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of a request for a decision: a unified diff, and the vulnerability that it should close.

    ``vulnerability`` is an id and ``cwe`` a text such as ``CWE-22``; each is null if the caller does not know
    it.
    """

    diff: Annotated[str, Meta(min_length=1, description="A unified diff, at most 1 MiB.")]
    vulnerability: (
        Annotated[str, Meta(max_length=64, description="A registered id, such as CVE-2020-1747.")] | None
    ) = None
    cwe: Annotated[str, Meta(max_length=10, description="A weakness class, such as CWE-22.")] | None = None


class PhaseReport(Struct, frozen=True):
    """One phase of a wargame: its ``name``, and its duration ``ms`` in milliseconds.

    ``name`` is a value of ``PhaseName``, such as ``pov``. ``reason`` says why the phase failed: a value of
    ``Reason``, such as ``exploit_survives``, or null if the phase passed. Both enums are in
    ``crisol.records``.
    """

    name: str
    reason: str | None
    ms: float


class Timings(Struct, frozen=True):
    """Durations in milliseconds: of the whole request, of the prediction, and of the wargame.

    ``model_ms`` is null if there was no prediction, ``wargame_ms`` if there was no wargame. An answer from
    the cache repeats these two from the original decision.
    """

    total_ms: float
    model_ms: float | None
    wargame_ms: float | None


class Answer(Struct, frozen=True):
    """The body of an answer: the decision about a patch, and how it was made.

    - ``outcome``: ``valid``, ``invalid``, ``inconclusive``, or ``unknown`` if no rung decided.
    - ``source``: the rung that answered, which may be the cache. ``decided_by``: the rung that made the
      decision.
    - ``reason``: why the outcome is not valid, such as ``exploit_survives``; ``Reason`` in ``crisol.records``
      lists all values. It is null for a valid patch, and for a decision of the memory or of the model.
      ``detail`` explains the reason to people; it may be "".
    - ``probability``, ``model_version``, ``feature_version``: those of the prediction; null without a
      prediction.
    - ``sandbox`` (``bubblewrap``, ``namespaces`` or ``weak``) and ``phases``: those of the wargame. Without a
      wargame ``sandbox`` is null and ``phases`` empty.
    - ``vulnerability``: its id; null if it is not registered. ``patch``: the identity of the patch.
    - ``degraded``: the dependencies that were unavailable, among ``cache``, ``database``, ``memory``,
      ``ml_model`` and ``sandbox``.
    """

    outcome: Annotated[
        str,
        Meta(
            description="valid, invalid, inconclusive (the wargame cannot tell) or unknown (no rung decided)"
        ),
    ]
    source: Annotated[
        str,
        Meta(
            description="rung that answered: cache, equivalent, untouched, memory, model, wargame, fallback"
        ),
    ]
    decided_by: Annotated[
        str,
        Meta(description="the same without cache: the rung that made the decision"),
    ]
    confidence: Annotated[float, Meta(description="of the outcome; 0 where it is unknown or inconclusive")]
    advisory: Annotated[bool, Meta(description="True if no rung decided; the prediction is then only a hint")]
    evidence: Annotated[str, Meta(description="the reasons of the decision, in one line")]
    reason: Annotated[str | None, Meta(description="why the outcome is invalid or inconclusive")]
    detail: str
    probability: Annotated[float | None, Meta(description="the model's probability that the patch is valid")]
    model_version: str | None
    feature_version: str | None
    vulnerability: str | None
    patch: Annotated[str, Meta(description="the identity of the judged part of the patch")]
    cut: Annotated[str, Meta(description="what was corrected in the diff or left out; empty if nothing was")]
    sandbox: str | None
    phases: tuple[PhaseReport, ...]
    degraded: Annotated[tuple[str, ...], Meta(description="the dependencies that were unavailable")]
    timings: Timings
    request_id: str


def read_submission(body: bytes, client: str) -> Submission:
    """Return the submission that a JSON request body describes; ``client`` is the caller's address.

    The function reads no release. It leaves out files of the diff whose names mark them as tests or
    documents. If no file is left, the patch of the submission is empty, and the submission's field ``misfit``
    says why. Raises :class:`~crisol.service.problems.Problem` with status 422 for a malformed body, and
    :class:`~crisol.errors.DiffError` for a malformed diff.
    """
    try:
        ask = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Problem(422, f"body: {error}") from None
    cwe = ask.cwe or ""
    if not _CWE.fullmatch(cwe):
        raise Problem(422, "cwe: write it like CWE-22, or leave it out")
    try:
        cut = fitted(ask.diff, None)
    except PatchDoesNotApply as error:
        # A release may contain files that would be left out by their names alone.
        return Submission(Patch(()), ask.diff, ask.vulnerability or "", cwe, client, misfit=str(error))
    return Submission(cut.patch, ask.diff, ask.vulnerability or "", cwe, client, cut.detail)


def answer_of(
    validated: Validated, question: Question, request_id: str, seconds: float, missing: tuple[str, ...]
) -> Answer:
    """Return the body of the answer that reports the decision ``validated``.

    ``question`` is the request without the text of its patch. ``request_id`` and the duration of the request,
    ``seconds``, are copied into the answer. ``missing`` names the dependencies that are unavailable now. The
    field ``degraded`` of the answer names every dependency that is unavailable now or was unavailable when
    the decision was made.
    """
    decision = validated.decision
    prediction, verdict, degraded = decision.prediction, decision.verdict, decision.degraded
    if missing:
        degraded = (*degraded, *(name for name in missing if name not in degraded))
    phases = () if verdict is None else verdict.phases
    return Answer(
        outcome="unknown" if decision.outcome is None else decision.outcome,
        source="cache" if validated.cached else decision.source,
        decided_by=decision.source,
        confidence=decision.confidence,
        advisory=decision.advisory,
        evidence=decision.evidence,
        reason=decision.reason,
        detail=decision.detail,
        probability=None if prediction is None else prediction.probability,
        model_version=None if prediction is None else prediction.model_version,
        feature_version=None if prediction is None else prediction.feature_version,
        vulnerability=None if validated.pattern is None else validated.pattern.id,
        patch=question.patch,
        cut=question.cut,
        sandbox=None if verdict is None else verdict.sandbox,
        phases=tuple(PhaseReport(phase.name, phase.reason, phase.seconds * 1e3) for phase in phases),
        degraded=degraded,
        timings=Timings(
            seconds * 1e3,
            None if prediction is None else prediction.seconds * 1e3,
            None if verdict is None else verdict.seconds * 1e3,
        ),
        request_id=request_id,
    )


_decode = msgspec.json.Decoder(Ask).decode
