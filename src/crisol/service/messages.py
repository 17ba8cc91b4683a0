"""What is asked and answered on the hot routes: typed, bounded, decoded in microseconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from crisol.diff import parse
from crisol.service.problems import Problem
from crisol.validation.validator import Submission

if TYPE_CHECKING:
    from crisol.validation.validator import Found

__all__ = [
    "Answer",
    "Ask",
    "Lasting",
    "PhaseReport",
    "Timings",
    "beginning",
    "decode",
    "ending",
    "submission",
]

_CWE = re.compile(r"(?:CWE-[1-9][0-9]{0,4})?", re.ASCII)


class Ask(Struct, forbid_unknown_fields=True, frozen=True):
    """A candidate patch: a unified diff, the vulnerability that it is to close, and its weakness class."""

    diff: Annotated[str, Meta(min_length=1, description="A unified diff, at most 1 MiB.")]
    vulnerability: (
        Annotated[str, Meta(max_length=64, description="A registered id, such as CVE-2020-1747.")] | None
    ) = None
    cwe: Annotated[str, Meta(max_length=10, description="A weakness class, such as CWE-22.")] | None = None


class PhaseReport(Struct, frozen=True):
    """One phase of the wargame: its name, why it failed (null: it passed), and its milliseconds."""

    name: str
    reason: str | None
    ms: float


class Timings(Struct, frozen=True):
    """Milliseconds: the whole answer, and, when they were made, the prediction and the wargame behind it."""

    total_ms: float
    model_ms: float | None
    wargame_ms: float | None


class Lasting(Struct, frozen=True):
    """What is known of the patch, by whom it was decided, and how sure it is."""

    outcome: Annotated[str, Meta(description="valid, invalid or inconclusive")]
    source: Annotated[str, Meta(description="cache, model, wargame or fallback: who answered now")]
    decided_by: Annotated[
        str, Meta(description="model, wargame or fallback: who decided, also when the cache answers")
    ]
    confidence: float
    advisory: Annotated[bool, Meta(description="a mere guess: no wargame, and no threshold that was passed")]
    reason: Annotated[str | None, Meta(description="why the wargame says invalid or inconclusive")]
    detail: str
    probability: Annotated[float | None, Meta(description="the model's probability that the patch is valid")]
    model_version: str | None
    feature_version: str | None
    vulnerability: str | None
    patch: Annotated[str, Meta(description="the normalised identity of the diff")]
    sandbox: str | None
    phases: tuple[PhaseReport, ...]


class Answer(Lasting, frozen=True):
    """What is known of the patch, by whom it was decided, how sure it is, and how this answer came to be."""

    degraded: Annotated[tuple[str, ...], Meta(description="the dependencies that were missing")]
    timings: Timings
    request_id: str


class _Passing(Struct, frozen=True):
    """The fields that :class:`Answer` has beyond :class:`Lasting`: all that differs between two hits of the cache."""

    degraded: tuple[str, ...]
    timings: Timings
    request_id: str


def submission(ask: Ask) -> Submission:
    """Parse what was asked. Raises :class:`~crisol.errors.DiffError` or :class:`Problem`."""
    cwe = ask.cwe or ""
    if not _CWE.fullmatch(cwe):
        raise Problem(422, "cwe: write it like CWE-22, or leave it out")
    return Submission(parse(ask.diff), ask.diff, ask.vulnerability or "", cwe)


def beginning(found: Found, patch: str) -> bytes:
    """Return an :class:`Answer` as far as it stays the same; :func:`ending` is the rest of it."""
    decision = found.decision
    prediction, verdict = decision.prediction, decision.verdict
    phases = (
        ()
        if verdict is None
        else tuple(PhaseReport(phase.name, phase.reason, phase.seconds * 1e3) for phase in verdict.phases)
    )
    lasting = Lasting(
        outcome=decision.outcome,
        source="cache" if found.cached else decision.source,
        decided_by=decision.source,
        confidence=decision.confidence,
        advisory=decision.advisory,
        reason=decision.reason,
        detail=decision.detail,
        probability=None if prediction is None else prediction.probability,
        model_version=None if prediction is None else prediction.model_version,
        feature_version=None if prediction is None else prediction.feature_version,
        vulnerability=None if found.pattern is None else found.pattern.id,
        patch=patch,
        sandbox=None if verdict is None else verdict.sandbox,
        phases=phases,
    )
    return _encode(lasting)[:-1]


def ending(found: Found, request_id: str, seconds: float, missing: tuple[str, ...] = ()) -> bytes:
    """Return the rest; ``missing`` names what is away at this moment beside what the decision lacked."""
    decision = found.decision
    prediction, verdict = decision.prediction, decision.verdict
    degraded = decision.degraded
    if missing:
        degraded = (*degraded, *(name for name in missing if name not in degraded))
    timings = Timings(
        seconds * 1e3,
        None if prediction is None else prediction.seconds * 1e3,
        None if verdict is None else verdict.seconds * 1e3,
    )
    return b"," + _encode(_Passing(degraded, timings, request_id))[1:]


decode = msgspec.json.Decoder(Ask).decode
_encode = msgspec.json.Encoder().encode
