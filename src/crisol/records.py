"""The nouns: one frozen record for every hop of the data.

``text -> Patch -> features -> Prediction -> Decision (-> Verdict) -> Trial -> Comparison``. ``Patch`` lives
in :mod:`crisol.diff` next to its parser; the others live here, because more than one layer speaks of them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "Candidate",
    "Decision",
    "LabelledPatch",
    "Origin",
    "Outcome",
    "Phase",
    "PhaseName",
    "Prediction",
    "Reason",
    "Source",
    "Strength",
    "Trial",
    "Verdict",
]


class Outcome(StrEnum):
    """The outcome of a wargame."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"
    """Not judged, by our failure or because the patch could not be read or laid over the source.

    Neither class.
    """


class Reason(StrEnum):
    """Why a patch is not valid; each belongs to exactly one outcome, see :attr:`outcome`."""

    MALFORMED = "malformed"
    DOES_NOT_APPLY = "does_not_apply"
    TAMPERS = "tampers"
    DOES_NOT_LOAD = "does_not_load"
    UNDEFINED_NAME = "undefined_name"
    EXPLOIT_SURVIVES = "exploit_survives"
    VARIANT_SURVIVES = "variant_survives"
    RAISES = "raises"
    """A PoV ended by an exception that it does not expect, and every check passes."""
    BREAKS_FUNCTION = "breaks_function"
    TIMEOUT = "timeout"
    PARTIAL_FIX = "partial_fix"
    DIVERGES_FROM_REFERENCE = "diverges_from_reference"
    BASELINE_FAILED = "baseline_failed"
    SANDBOX_FAILED = "sandbox_failed"

    @property
    def outcome(self) -> Outcome:
        """The outcome that this reason explains."""
        return Outcome.INCONCLUSIVE if self in _NOT_JUDGED else Outcome.INVALID


_NOT_JUDGED = {Reason.MALFORMED, Reason.DOES_NOT_APPLY, Reason.BASELINE_FAILED, Reason.SANDBOX_FAILED}
"""Form says nothing about whether a fix is right, and neither does what broke here."""


class Strength(StrEnum):
    """The strength of a label: how much a patch has to pass."""

    BASIC = "basic"
    """Every PoV fails and every check passes."""
    STRICT = "strict"
    """Basic, no name that is defined nowhere, and the reference's behaviour on generated inputs."""


class PhaseName(StrEnum):
    """The steps of a wargame, in the order in which they run."""

    BASELINE = "baseline"
    APPLY = "apply"
    STATIC = "static"
    POV = "pov"
    VARIANTS = "variants"
    CHECKS = "checks"
    AGAIN = "again"
    """The public PoV in other surroundings: for a patch that newly looks at them, or keeps state."""
    GENERATED_POVS = "generated_povs"
    DIFFERENTIAL = "differential"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a wargame: its result and its seconds.

    ``reason`` is None when the step passed. ``strength`` is the weakest label that listens to it.
    """

    name: PhaseName
    reason: Reason | None
    seconds: float
    detail: str = ""
    strength: Strength = Strength.BASIC


@dataclass(frozen=True, slots=True)
class Verdict:
    """The truth about one patch: the phases that ran, and the outcome that follows.

    ``sandbox`` names the isolation that was used (``bubblewrap``, ``namespaces`` or ``weak``): a verdict
    reached without isolation says so for ever.
    """

    phases: tuple[Phase, ...]
    seconds: float
    sandbox: str
    seed: int = 0
    """What the scripts drew their planted names from; the same seed gives the same wargame."""

    def reason_at(self, strength: Strength = Strength.STRICT) -> Reason | None:
        """Return the first failure that counts for a label of this strength, or None for a valid patch."""
        for phase in self.phases:
            if phase.reason is not None and (strength is Strength.STRICT or phase.strength is Strength.BASIC):
                return phase.reason
        return None

    def outcome_at(self, strength: Strength = Strength.STRICT) -> Outcome:
        """Return valid, invalid or inconclusive, as a label of this strength."""
        reason = self.reason_at(strength)
        return Outcome.VALID if reason is None else reason.outcome

    @property
    def reason(self) -> Reason | None:
        """The reason at full strength."""
        return self.reason_at()

    @property
    def outcome(self) -> Outcome:
        """The outcome at full strength."""
        return self.outcome_at()


class Origin(StrEnum):
    """Where a candidate patch came from."""

    UPSTREAM = "upstream"
    HAND = "hand"
    MUTANT = "mutant"
    AGENT = "agent"
    IMPORT = "import"


HEADLINE = (Origin.AGENT, Origin.HAND)
"""The origins on whose patches progress is read: what agents and people wrote."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unified diff against the vulnerable source of one vulnerability, not yet judged.

    ``name`` is unique within the vulnerability; a mutant names its ``parent`` and the ``operator`` that made
    it, an agent's patch has the order that the agent had in the place of the operator. ``licence`` is what a
    patch of others is under, where they said so.
    """

    vulnerability: str
    name: str
    origin: Origin
    diff: str
    parent: str = ""
    operator: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class LabelledPatch:
    """A patch whose truth is known: what models are trained and evaluated on.

    ``label`` is 1 for a correct patch. ``group`` is the vulnerability (or bug), the unit by which data are
    split; ``project`` the package it lives in. ``source`` maps the touched paths of the vulnerable tree to
    their text where the vulnerability is registered, and is empty otherwise, as are ``description`` and
    ``pov``, the text of the public PoV.
    """

    id: str
    group: str
    project: str
    label: int
    diff: str
    cwe: str = ""
    language: str = "python"
    tool: str = ""
    reason: str = ""
    description: str = ""
    pov: str = ""
    source: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's guess: the probability that a wargame would say valid."""

    probability: float
    model_version: str
    feature_version: str
    seconds: float = 0.0

    @property
    def valid(self) -> bool:
        """The guessed class."""
        return self.probability >= 0.5

    @property
    def confidence(self) -> float:
        """The probability of the guessed class, 0.5 to 1."""
        return max(self.probability, 1.0 - self.probability)


class Source(StrEnum):
    """The rung that answered."""

    CACHE = "cache"
    EQUIVALENT = "equivalent"
    """The same program as the vulnerable one, or as one that was wargamed: a fact, not a guess."""
    UNTOUCHED = "untouched"
    """Nothing that the exploit executes is changed: a fact, not a guess."""
    MEMORY = "memory"
    """A model that reads the verdicts known of this vulnerability."""
    MODEL = "model"
    WARGAME = "wargame"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to the caller: outcome, source, confidence and reason.

    ``outcome`` is None where nobody could decide; such a decision is ``advisory``, and what it holds of a
    model is a guess. ``evidence`` says in one line what the decision rests on. ``degraded`` names the
    dependencies that were missing when it was made.
    """

    outcome: Outcome | None
    source: Source
    confidence: float
    reason: Reason | None = None
    detail: str = ""
    prediction: Prediction | None = None
    verdict: Verdict | None = None
    advisory: bool = False
    degraded: tuple[str, ...] = ()
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One A/B observation: what a model predicted for a patch, and what the wargame said.

    ``probability`` is the predicted probability of valid; ``sampling_probability`` the chance, in (0, 1],
    with which this patch came to be wargamed, so that every estimate can be weighted by its inverse. Times
    are in seconds. ``created_at`` carries a time zone.

    A service also says which ``rung`` answered and what it ``decided`` (None: it had the patch wargamed), and
    what the verdict holds for: the ``content_hash`` of the vulnerability, the version of the ``referee``, and
    the identity of the patched ``program``. They are empty where nobody said so.
    """

    id: str
    patch: str
    vulnerability: str
    cwe: str
    experiment: str
    arm: str
    model_version: str
    feature_version: str
    probability: float
    outcome: Outcome
    reason: Reason | None
    sampling_probability: float
    predict_seconds: float
    wargame_seconds: float
    created_at: dt.datetime
    attributions: dict[str, Any] | None = None
    rung: str = ""
    decided: Outcome | None = None
    content_hash: str = ""
    referee: str = ""
    program: str = ""

    @property
    def predicted_valid(self) -> bool:
        """The class that the model guessed."""
        return self.probability >= 0.5

    @property
    def answered_valid(self) -> bool:
        """The class in the answer; where no rung decided, the class that the model guessed."""
        return self.predicted_valid if self.decided is None else self.decided is Outcome.VALID

    @property
    def confidence(self) -> float:
        """The model's probability of the class that it guessed."""
        return max(self.probability, 1.0 - self.probability)

    @property
    def correct(self) -> bool | None:
        """Whether the guess was right; None when the wargame was inconclusive."""
        if self.outcome is Outcome.INCONCLUSIVE:
            return None
        return self.predicted_valid == (self.outcome is Outcome.VALID)
