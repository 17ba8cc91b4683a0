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

    - ``malformed``: the text is no diff that can be read.
    - ``does_not_apply``: the diff does not fit the vulnerable source.
    - ``tampers``: the patch interferes with the wargame; it shadows a module, for example, or ends a run.
    - ``does_not_load``: a patched file has a syntax error, or a script ends by an import error.
    - ``undefined_name``: the patch uses a name that is defined nowhere.
    - ``exploit_survives``: the public PoV still shows the flaw.
    - ``variant_survives``: another PoV of the vulnerability still shows the flaw.
    - ``raises``: a PoV ends by an exception or an exit code that it does not expect, and every check passes.
    - ``breaks_function``: a check fails, or a PoV ends by a name error.
    - ``timeout``: a run exceeds its limits, or all runs together exceed the time of the wargame.
    - ``partial_fix``: a generated PoV, which fails on the reference, still shows the flaw.
    - ``diverges_from_reference``: patch and reference behave differently on a generated benign input.
    - ``baseline_failed``: on the unpatched code a PoV does not show the flaw, or a check fails.
    - ``sandbox_failed``: the sandbox fails, and the patch is not the cause.
    """

    MALFORMED = "malformed"
    DOES_NOT_APPLY = "does_not_apply"
    TAMPERS = "tampers"
    DOES_NOT_LOAD = "does_not_load"
    UNDEFINED_NAME = "undefined_name"
    EXPLOIT_SURVIVES = "exploit_survives"
    VARIANT_SURVIVES = "variant_survives"
    RAISES = "raises"
    BREAKS_FUNCTION = "breaks_function"
    TIMEOUT = "timeout"
    PARTIAL_FIX = "partial_fix"
    DIVERGES_FROM_REFERENCE = "diverges_from_reference"
    BASELINE_FAILED = "baseline_failed"
    SANDBOX_FAILED = "sandbox_failed"

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

    - ``baseline`` runs PoVs and checks on the vulnerable code.
    - ``apply`` applies the patch.
    - ``static`` compiles the patched files, and looks for code that interferes with the wargame.
    - ``names`` (strict label only) looks for undefined names that are new in the patched files.
    - ``pov`` runs the public PoV, ``variants`` the other PoVs, ``checks`` the checks.
    - ``again`` runs the public PoV in other environments.
    - ``generated_povs`` (strict label only) runs PoVs that were generated from the vulnerability's PoVs.
    - ``differential`` (strict label only) compares the patch with the reference on generated inputs.

    If a step for the strict label only fails, the wargame skips the later ones of this kind and goes on. Any
    other failed step ends the wargame. If ``pov`` or ``variants`` fails with the reason ``raises``, the
    checks run before the wargame ends, and come first in the verdict, because a failed check is the better
    reason.

    A referee that learns from earlier wargames chooses the order of ``pov``, ``variants`` and ``checks``, and
    ends the wargame at any failed step.
    """

    BASELINE = "baseline"
    APPLY = "apply"
    STATIC = "static"
    NAMES = "names"
    POV = "pov"
    VARIANTS = "variants"
    CHECKS = "checks"
    AGAIN = "again"
    GENERATED_POVS = "generated_povs"
    DIFFERENTIAL = "differential"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a wargame with its result; ``seconds`` is its wall time.

    ``name`` is the kind of step. ``reason`` says how it failed; None means that it passed, or that a PoV
    raised an exception and the check after it failed, which settles the outcome. ``detail`` is a message for
    people: the script and how it ended; "" if there is nothing to say. With ``strength`` BASIC a failure
    counts for both labels, with STRICT for the strict label only. ``reason.outcome`` says whether the failure
    makes the label invalid or inconclusive.
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
    default a group is a vulnerability. ``project`` is the package that has the flaw. ``language`` is the
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

    - ``outcome``: valid, invalid, or inconclusive (a wargame could not judge the patch, or the patch does not
      apply); None if no rung could decide.
    - ``source``: the rung that decided.
    - ``confidence``: the probability, 0 to 1, that ``outcome`` is right, as ``source`` estimates it. It is 1
      after a conclusive wargame, and 0 if ``outcome`` is inconclusive or None.
    - ``reason``, ``detail``: why the patch is not valid. They are None and "" for a valid patch, and for a
      decision of the memory or of the model.
    - ``prediction``: None if no model was asked. ``verdict``: None if no wargame ran.
    - ``advisory``: True if no rung could decide; ``prediction`` is then only a hint.
    - ``degraded``: the dependencies that failed during the request, such as ``cache``.
    - ``evidence``: a line with the reasons of the decision, such as similar patches.
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

    - ``id``: a hash of experiment, arm, patch, vulnerability and model version, see
      :func:`~crisol.abtest.trial.trial_id`. A store keeps one trial for each id.
    - ``patch``: the identity of the patch. ``vulnerability``: an id. ``cwe``: a text such as ``CWE-22``.
    - ``experiment``, ``arm``: names.
    - ``probability``: the predicted probability of valid. ``predict_seconds``: the duration of the
      prediction.
    - ``outcome``, ``reason``: those of the verdict. ``wargame_seconds``: the duration of the wargame.
    - ``sampling_probability``: the probability, in (0, 1], with which the patch was selected for a wargame.
      Estimates weight the trial by its inverse.
    - ``created_at``: a time with a time zone.
    - ``attributions``: the contribution of each feature to the prediction; None if it was not computed.

    A service also sets these fields; elsewhere they may be empty:

    - ``rung``: the :class:`Source` that answered.
    - ``decided``: the outcome that the caller was told; None if a wargame gave the answer, or if no rung
      could decide.
    - ``content_hash``, ``referee``, ``program``: the content hash of the vulnerability, the version of the
      referee, and the identity of the patched program. The verdict holds for these three.
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
