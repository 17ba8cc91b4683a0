"""The records that pass between the packages: verdicts, candidates, predictions, decisions and trials.

``text -> Patch -> features -> Prediction -> Decision (-> Verdict) -> Trial -> Comparison``. ``Patch`` is
defined in :mod:`crisol.diff`, the features in :mod:`crisol.model.features`, and ``Comparison`` in
:mod:`crisol.abtest.compare`. The others are defined here, because several packages use them.
"""

from __future__ import annotations

import datetime as dt
import sys
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
    """The outcome of a wargame: valid, invalid or inconclusive (the patch could not be judged)."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"
    """Not judged: the referee failed, or the patch could not be read or applied.

    Neither class.
    """


class Reason(StrEnum):
    """Why a patch is not valid: the first failure of its wargame.

    About the patch as a text: ``malformed``, ``does_not_apply``. About its code: ``tampers`` (it interferes
    with the wargame), ``does_not_load`` (a syntax or import error), ``undefined_name``. About PoVs:
    ``exploit_survives`` (the public PoV still succeeds), ``variant_survives`` (another PoV does),
    ``partial_fix`` (a generated PoV does), ``raises`` (a PoV ends by an exception or exit code that it does
    not expect). About behaviour: ``breaks_function`` (a check fails, or a PoV ends by a name error),
    ``diverges_from_reference`` (on a generated input), ``timeout`` (a run, or all runs together, took too
    long). About the wargame itself: ``baseline_failed``, ``sandbox_failed``.
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
    """A run exceeded its limits, or all runs together exceeded the time of the wargame."""
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
        """The outcome of a wargame that ended with this reason: ``INCONCLUSIVE`` or ``INVALID``.

        The outcome is ``INCONCLUSIVE`` for a malformed diff, a diff that does not apply, a failed baseline
        and a failed sandbox; it is ``INVALID`` for every other reason.
        """
        return Outcome.INCONCLUSIVE if self in _NOT_JUDGED else Outcome.INVALID


_NOT_JUDGED = {Reason.MALFORMED, Reason.DOES_NOT_APPLY, Reason.BASELINE_FAILED, Reason.SANDBOX_FAILED}
"""The reasons that do not tell whether a fix is right: the patch does not apply, or the referee failed."""


class Strength(StrEnum):
    """The demand that a valid patch must meet: ``basic`` or ``strict``.

    Basic: every PoV fails and every check passes. Strict: in addition, the patch uses no undefined name, PoVs
    that were generated from the vulnerability's PoVs fail, and the patch behaves as the reference on
    generated inputs.
    """

    BASIC = "basic"
    """Every PoV fails and every check passes."""
    STRICT = "strict"
    """Basic; in addition no undefined name, and the reference's behaviour on generated inputs and PoVs."""


class PhaseName(StrEnum):
    """The steps of a wargame, in their usual order.

    ``baseline`` runs PoVs and checks on the vulnerable code. ``apply`` applies the patch. ``static`` compiles
    the patched files and looks for code that interferes with the wargame; ``names`` looks for undefined
    names. ``pov`` runs the public PoV, ``variants`` the other PoVs, ``checks`` the checks. ``again`` runs the
    public PoV in another environment. ``generated_povs`` runs PoVs that were generated from the
    vulnerability's PoVs. ``differential`` compares the patch with the reference on generated inputs.

    A referee that learns from earlier wargames chooses the order of ``pov``, ``variants`` and ``checks``. If
    ``pov`` or ``variants`` fails with the reason ``raises``, the checks run next, and the verdict lists the
    checks first.

    A failure of ``names``, ``generated_povs`` or ``differential`` counts for the strict label only, and the
    steps that count for the basic label still run. A failure of another step ends the wargame. With a referee
    that learns, every failure ends it.
    """

    BASELINE = "baseline"
    APPLY = "apply"
    STATIC = "static"
    NAMES = "names"
    """Finds undefined names that are new in the patched files; counts for the strict label alone."""
    POV = "pov"
    VARIANTS = "variants"
    CHECKS = "checks"
    AGAIN = "again"
    """Runs the public PoV in another environment, and often in one process if the patch may keep state."""
    GENERATED_POVS = "generated_povs"
    DIFFERENTIAL = "differential"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a wargame with its result; ``seconds`` is its wall time.

    ``name`` is the kind of step. ``reason`` says how it failed; None means that it passed. ``detail`` is a
    message for people: the script and how it ended; "" if there is nothing to say. With ``strength`` BASIC a
    failure counts for both labels, with STRICT for the strict label only. ``reason.outcome`` says whether the
    failure makes the label invalid or inconclusive.
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
    ``weak``, which does not isolate hostile code. ``seed`` determines the random names and values in PoVs and
    checks. ``left_out`` are the file names of scripts that did not run, because an earlier failure had
    settled the outcome.
    """

    phases: tuple[Phase, ...]
    seconds: float
    sandbox: str
    seed: int = 0
    left_out: tuple[str, ...] = ()

    def reason_at(self, strength: Strength = Strength.STRICT) -> Reason | None:
        """Return the reason of the first failed phase that counts for a label of this strength.

        None means that the patch is valid for this label. A phase whose strength is STRICT counts for the
        strict label only.
        """
        for phase in self.phases:
            if phase.reason is not None and (strength is Strength.STRICT or phase.strength is Strength.BASIC):
                return phase.reason
        return None

    def outcome_at(self, strength: Strength = Strength.STRICT) -> Outcome:
        """Return the outcome for a label of this strength: valid, invalid or inconclusive.

        For BASIC, failures of phases whose strength is STRICT are ignored.
        """
        reason = self.reason_at(strength)
        return Outcome.VALID if reason is None else reason.outcome

    @property
    def reason(self) -> Reason | None:
        """The reason why the patch is not valid for the strict label; None if the patch is valid."""
        return self.reason_at()

    @property
    def outcome(self) -> Outcome:
        """The outcome of the strict label."""
        return self.outcome_at()


class Origin(StrEnum):
    """Who made a candidate patch: the project, a person, a mutation, an agent, or an import from outside.

    The values are, in this order, ``upstream``, ``hand``, ``mutant``, ``agent`` and ``import``.
    """

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
"""The origins whose patches count for the headline: agents and people."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unified diff against the source of one vulnerability, not yet judged.

    ``vulnerability`` is an id; no two candidates of a vulnerability have the same ``name``. ``origin`` says
    who made the patch. A mutant is made from another patch: ``parent`` is that patch's name, and ``operator``
    the kinds of change, joined by ``+``. For an agent's patch, ``operator`` is the short name of the
    instruction that the agent got. ``licence`` is the licence that an imported patch states. ``parent``,
    ``operator`` and ``licence`` are "" where they do not apply.
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

    ``id`` is unique in its data set. Patches with the same ``group`` stay together when data are split; by
    default it is the vulnerability. ``project`` is the package that has the flaw. ``language`` is the
    programming language of the source, in free text. ``tool`` is the origin of the patch, such as ``mutant``,
    or another name for the tool that wrote it. ``reason`` is the text of a :class:`Reason`, "" if valid or
    unknown. ``cwe`` is text such as ``CWE-22``, "" if unknown.

    The last four fields are empty unless the folder of the vulnerability was read. ``description`` describes
    the flaw. ``pov`` is the text of the public PoV. ``source`` maps each path that the patch changes to the
    text before the change. ``fix`` is the known fix: (path, vulnerable text, fixed text) for each touched
    file.
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
    fix: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction: the probability, 0 to 1, that a wargame would find the patch valid.

    ``model_version`` identifies the trained model, ``feature_version`` the code that computes features from a
    diff. ``seconds`` is the time that the prediction took, 0 if it was not measured.
    """

    probability: float
    model_version: str
    feature_version: str
    seconds: float = 0.0

    def __post_init__(self) -> None:
        # A cache holds thousands of predictions by one model; a decoded one would bring its own copy of both.
        object.__setattr__(self, "model_version", sys.intern(self.model_version))
        object.__setattr__(self, "feature_version", sys.intern(self.feature_version))

    @property
    def valid(self) -> bool:
        """Whether valid is the likelier class: True if the probability is at least 0.5."""
        return self.probability >= 0.5

    @property
    def confidence(self) -> float:
        """The probability of the likelier class, valid or invalid: 0.5 to 1."""
        return max(self.probability, 1.0 - self.probability)


class Source(StrEnum):
    """The rung of the ladder that answered; the fallback answers if no other rung could decide.

    The values are ``cache``, ``equivalent`` and ``untouched`` (the two kinds of fact), ``memory``, ``model``,
    ``wargame`` and ``fallback``.
    """

    CACHE = "cache"
    """The stored answer to the same request."""
    EQUIVALENT = "equivalent"
    """A fact: the patch makes the same program as the vulnerable code, or as a wargamed patch."""
    UNTOUCHED = "untouched"
    """A fact: the patch changes nothing that the PoVs execute."""
    MEMORY = "memory"
    """The second stage, which predicts from the verdicts known for this vulnerability."""
    MODEL = "model"
    """The model's prediction, beyond a threshold of its policy."""
    WARGAME = "wargame"
    """A wargame that was run for this request or an earlier one."""
    FALLBACK = "fallback"
    """No rung could decide; the answer is advisory."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a caller: whether the patch is valid, and which rung of the ladder decided so.

    ``source`` is that rung. ``outcome`` is valid, invalid, or inconclusive after a wargame that could not
    judge the patch. If no rung could decide, ``outcome`` is None, ``advisory`` is True, and ``prediction`` is
    only a hint. ``confidence``, 0 to 1, is the probability that ``outcome`` is right, as estimated by
    ``source``: 1 after a conclusive wargame, 0 if the outcome is inconclusive or None. ``reason`` and
    ``detail`` say why the patch is not valid. They are None and "" for a valid patch, and for an answer of
    the memory or of the model. ``prediction`` is None if no model was used, ``verdict`` None if no wargame
    ran. ``evidence`` is a line with the reasons of the decision, such as similar patches. ``degraded`` names
    the dependencies that failed during the request, such as ``cache``.
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
    """One A/B observation: the prediction and the verdict of the same patch.

    ``id`` is a hash of experiment, arm, patch, vulnerability and model version, see
    :func:`~crisol.abtest.trial.trial_id`; a store keeps one trial for each id. ``patch`` is the identity of
    the patch, ``vulnerability`` an id, ``cwe`` text such as ``CWE-22``. ``experiment`` and ``arm`` are names.
    ``probability`` is the predicted probability of valid; ``outcome`` and ``reason`` are those of the
    verdict. ``sampling_probability``, in (0, 1], is the probability with which the patch was selected for a
    wargame; estimates weight the trial by its inverse. ``attributions`` maps each feature to its contribution
    to the prediction; None if not computed. ``predict_seconds`` and ``wargame_seconds`` are the times that
    prediction and wargame took. ``created_at`` has a time zone.

    The other fields are set by a service and empty elsewhere. ``rung`` is the :class:`Source` that answered.
    ``decided`` is the outcome that the caller was told; None if a wargame gave the answer, or if no rung
    could decide. The verdict depends on the last three fields: ``content_hash`` is the hash of the
    vulnerability, ``referee`` the version of the referee, and ``program`` the identity of the patched
    program.
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
        """Whether the model predicted valid: True if the probability is at least 0.5."""
        return self.probability >= 0.5

    @property
    def answered_valid(self) -> bool:
        """Whether the caller was told that the patch is valid.

        If ``decided`` is None, the answer is whether the model predicted valid.
        """
        return self.predicted_valid if self.decided is None else self.decided is Outcome.VALID

    @property
    def confidence(self) -> float:
        """The model's probability of the class that it predicted, valid or invalid: 0.5 to 1."""
        return max(self.probability, 1.0 - self.probability)

    @property
    def correct(self) -> bool | None:
        """Whether prediction and verdict agree; None if the wargame was inconclusive."""
        if self.outcome is Outcome.INCONCLUSIVE:
            return None
        return self.predicted_valid == (self.outcome is Outcome.VALID)
