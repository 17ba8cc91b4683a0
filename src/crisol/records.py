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
    """The outcome of a wargame: valid, invalid or inconclusive."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"
    """Not judged, by our failure or because the patch could not be read or laid over the source.

    Neither class.
    """


class Reason(StrEnum):
    """Why a patch is not valid: the step of the wargame that failed, or why no wargame was possible.

    Each reason belongs to one outcome, invalid or inconclusive; see :attr:`outcome`.
    """

    MALFORMED = "malformed"
    """The text is no unified diff that can be read."""
    DOES_NOT_APPLY = "does_not_apply"
    """A hunk does not match the vulnerable source."""
    TAMPERS = "tampers"
    """The patch interferes with the wargame: it shadows a module, say, or ends a run by itself."""
    DOES_NOT_LOAD = "does_not_load"
    """The patched code has a syntax error or cannot be imported."""
    UNDEFINED_NAME = "undefined_name"
    """The patched code uses a name that is defined nowhere."""
    EXPLOIT_SURVIVES = "exploit_survives"
    """The public PoV still shows the flaw."""
    VARIANT_SURVIVES = "variant_survives"
    """Another PoV of the vulnerability still shows the flaw."""
    RAISES = "raises"
    """A PoV ended by an exception that it does not expect, and every check passes."""
    BREAKS_FUNCTION = "breaks_function"
    """A check fails: the patched code no longer works."""
    TIMEOUT = "timeout"
    """A run exceeded its limits, or all runs together the time of the wargame."""
    PARTIAL_FIX = "partial_fix"
    """A generated PoV, which the reference fix defeats, still shows the flaw."""
    DIVERGES_FROM_REFERENCE = "diverges_from_reference"
    """On a generated benign input the patched code and the reference fix differ."""
    BASELINE_FAILED = "baseline_failed"
    """On the unpatched code a PoV does not show the flaw, or a check fails."""
    SANDBOX_FAILED = "sandbox_failed"
    """The sandbox failed for a reason that is not the patch's."""

    @property
    def outcome(self) -> Outcome:
        """The outcome of a wargame with this reason: ``INCONCLUSIVE`` or ``INVALID``.

        It is inconclusive for a malformed diff, a diff that does not apply, and a failed baseline or sandbox.
        """
        return Outcome.INCONCLUSIVE if self in _NOT_JUDGED else Outcome.INVALID


_NOT_JUDGED = {Reason.MALFORMED, Reason.DOES_NOT_APPLY, Reason.BASELINE_FAILED, Reason.SANDBOX_FAILED}
"""Form says nothing about whether a fix is right, and neither does what broke here."""


class Strength(StrEnum):
    """The strength of a label, basic or strict: it says which failures of a wargame make a patch invalid."""

    BASIC = "basic"
    """Every PoV fails and every check passes."""
    STRICT = "strict"
    """Basic, no name that is defined nowhere, and the reference's behaviour on generated inputs."""


class PhaseName(StrEnum):
    """The steps of a wargame, in the order in which they run.

    A failure that counts for the basic label ends the wargame. A service runs the scripts of ``pov``,
    ``variants`` and ``checks`` in an order that it learns, each script as its own step, see
    :mod:`crisol.wargaming.order`.
    """

    BASELINE = "baseline"
    APPLY = "apply"
    STATIC = "static"
    NAMES = "names"
    """New names in the patched files that are defined nowhere; counts for the strict label alone."""
    POV = "pov"
    VARIANTS = "variants"
    CHECKS = "checks"
    AGAIN = "again"
    """The public PoV in other surroundings: for a patch that newly looks at them, or keeps state."""
    GENERATED_POVS = "generated_povs"
    DIFFERENTIAL = "differential"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a wargame with its result; ``seconds`` is its wall time.

    ``reason`` is None when the step passed. ``detail`` is a message for people: the script and how it ended;
    "" if there is nothing to say. A failure with the ``strength`` BASIC makes the basic and the strict label
    invalid; a failure with STRICT makes only the strict label invalid.
    """

    name: PhaseName
    reason: Reason | None
    seconds: float
    detail: str = ""
    strength: Strength = Strength.BASIC


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of wargaming one patch.

    ``phases`` are the steps that ran, in order; the outcome follows from them. ``seconds`` is the wall time
    of the whole wargame. ``sandbox`` is the isolation that was used: ``bubblewrap``, ``namespaces``, or
    ``weak``, which does not isolate hostile code. ``seed`` seeds the random names and values in PoVs and
    checks; the same seed gives the same wargame. ``left_out`` names the scripts that did not run, because an
    earlier failure had settled the outcome.
    """

    phases: tuple[Phase, ...]
    seconds: float
    sandbox: str
    seed: int = 0
    left_out: tuple[str, ...] = ()

    def reason_at(self, strength: Strength = Strength.STRICT) -> Reason | None:
        """Return the reason of the first failure that counts for a label of this strength.

        None means that the patch is valid for this label.
        """
        for phase in self.phases:
            if phase.reason is not None and (strength is Strength.STRICT or phase.strength is Strength.BASIC):
                return phase.reason
        return None

    def outcome_at(self, strength: Strength = Strength.STRICT) -> Outcome:
        """Return the outcome as a label of this strength.

        The basic label ignores failures of phases whose strength is strict.
        """
        reason = self.reason_at(strength)
        return Outcome.VALID if reason is None else reason.outcome

    @property
    def reason(self) -> Reason | None:
        """The reason of the strict label; None if the patch is valid."""
        return self.reason_at()

    @property
    def outcome(self) -> Outcome:
        """The outcome of the strict label."""
        return self.outcome_at()


class Origin(StrEnum):
    """Who made a candidate patch: the project, a person, a mutation, an agent, or an import from outside."""

    UPSTREAM = "upstream"
    """The fix of the project itself."""
    HAND = "hand"
    """Written by a person."""
    MUTANT = "mutant"
    """Made from another candidate by mutation operators."""
    AGENT = "agent"
    """Written by a language model's agent."""
    IMPORT = "import"
    """Brought in by the user from outside."""


HEADLINE = (Origin.AGENT, Origin.HAND)
"""The origins on whose patches progress is read: what agents and people wrote."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unified diff against the vulnerable source of one vulnerability, not yet judged.

    ``vulnerability`` is an id; ``name`` is unique within it. ``origin`` says who made the patch. For a
    mutant, ``parent`` names the patch from which it was made, and ``operator`` the kinds of change, joined by
    ``+``. For an agent's patch, ``operator`` is the short name of the agent's instruction. ``licence`` is the
    licence that the author of an imported patch states. Each of the three is "" if it does not apply.
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
    """A patch whose verdict is known, for training and evaluation. ``label`` is 1 if valid, 0 if invalid.

    ``group`` is the vulnerability or bug; all patches of one group stay together when data are split.
    ``project`` is the package that has the flaw. ``tool`` is the origin or the tool that made the patch.
    ``reason`` is a :class:`Reason`, "" if valid or unknown. ``cwe`` is such as ``CWE-22``, "" if unknown. For
    a registered vulnerability, ``source`` maps the touched paths to their vulnerable text, ``pov`` is the
    text of the public PoV, and ``description`` describes the flaw; otherwise all three are empty.
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
    """A model's prediction: the probability, 0 to 1, that the verdict of a wargame would be valid.

    ``model_version`` identifies the trained model, ``feature_version`` the code that computes features from a
    diff. ``seconds`` is the duration of the prediction, 0 where it was not measured.
    """

    probability: float
    model_version: str
    feature_version: str
    seconds: float = 0.0

    @property
    def valid(self) -> bool:
        """Whether valid is the likelier class: True from a probability of 0.5 on."""
        return self.probability >= 0.5

    @property
    def confidence(self) -> float:
        """The probability of the likelier class, 0.5 to 1."""
        return max(self.probability, 1.0 - self.probability)


class Source(StrEnum):
    """The rung that answered a request, the cache, or the fallback."""

    CACHE = "cache"
    """The stored answer to the same request."""
    EQUIVALENT = "equivalent"
    """The same program as the vulnerable one, or as one that was wargamed: a fact, not a guess."""
    UNTOUCHED = "untouched"
    """Nothing that the exploit executes is changed: a fact, not a guess."""
    MEMORY = "memory"
    """A model that reads the verdicts known of this vulnerability."""
    MODEL = "model"
    """The model's prediction, beyond a threshold of its policy."""
    WARGAME = "wargame"
    """A wargame, run for this request or remembered."""
    FALLBACK = "fallback"
    """Nothing could decide; the answer is advisory."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a caller: whether the patch is valid, and which rung decided so.

    ``outcome`` None means that no rung could decide; the decision is then ``advisory`` and its ``prediction``
    a mere guess. ``confidence`` is the probability, 0 to 1, of ``outcome`` as ``source`` states it: 1 for a
    conclusive wargame, 0 if undecided. ``reason`` and ``detail`` say which phase failed; None and "" where
    none did. ``prediction`` and ``verdict`` are None where no model or wargame ran. ``evidence`` is one line
    on what the decision rests on. ``degraded`` names the dependencies that failed meanwhile, such as
    ``cache``.
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
    """One A/B observation: the prediction and the verdict of the same patch. Times are in seconds.

    ``patch`` is the identity of the patch. ``experiment`` names the A/B experiment and ``arm`` the model
    version's part in it. ``probability`` is the predicted probability of valid; ``outcome`` and ``reason``
    are those of the verdict. ``sampling_probability``, in (0, 1], is the probability with which the patch was
    selected for a wargame; estimates weight the trial by its inverse. ``attributions`` are the contributions
    of the features to the prediction, None if not computed. ``created_at`` has a time zone.

    A service also stores the ``rung`` that answered (a :class:`Source`) and its answer ``decided``, None
    where the request was wargamed. It stores what the verdict depends on: the vulnerability's
    ``content_hash``, the version of the ``referee``, and the identity of the patched ``program``. Elsewhere
    these are empty.
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
        """Whether the model predicted valid: a probability of at least 0.5."""
        return self.probability >= 0.5

    @property
    def answered_valid(self) -> bool:
        """Whether the caller was told that the patch is valid.

        Where no rung decided, it is whether the model predicted valid.
        """
        return self.predicted_valid if self.decided is None else self.decided is Outcome.VALID

    @property
    def confidence(self) -> float:
        """The model's probability of the class that it predicted, 0.5 to 1."""
        return max(self.probability, 1.0 - self.probability)

    @property
    def correct(self) -> bool | None:
        """Whether prediction and verdict agree; None when the wargame was inconclusive."""
        if self.outcome is Outcome.INCONCLUSIVE:
            return None
        return self.predicted_valid == (self.outcome is Outcome.VALID)
