"""Crisol: how far can a model stand in for running the exploit?

The names in ``__all__`` are the public interface; each is imported when it is first used, so that
``import crisol`` takes little time. Everything else is an implementation detail of its module.

>>> import crisol
>>> crisol.parse("not a diff")
Traceback (most recent call last):
    ...
crisol.errors.MalformedDiff: no file header and no hunk found: is this a unified diff?
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crisol.abtest import Experiment, HashSampler, RandomSampler, TrialFilter, TrialStore
    from crisol.config import Settings, load_settings
    from crisol.diff import Patch, parse
    from crisol.errors import (
        CircuitOpenError,
        CrisolError,
        DatasetError,
        DiffError,
        DiffTooLarge,
        ExperimentError,
        IndexUnavailable,
        InputError,
        IntegrityError,
        MalformedDiff,
        ModelError,
        Overloaded,
        PatchDoesNotApply,
        RateLimited,
        SandboxError,
        SandboxUnavailable,
        SettingsError,
        StoreError,
        UnavailableError,
        UnknownVulnerability,
        UnsafeDiff,
        UnsupportedDiff,
        VulnerabilityError,
    )
    from crisol.model.evaluation import Evaluation
    from crisol.model.policy import Policy
    from crisol.model.predictor import Predictor
    from crisol.model.training import FittedModel
    from crisol.model.variants import Variant, load_variants
    from crisol.records import (
        Candidate,
        Decision,
        LabelledPatch,
        Origin,
        Outcome,
        Phase,
        PhaseName,
        Prediction,
        Reason,
        Source,
        Strength,
        Trial,
        Verdict,
    )
    from crisol.resilience.bucket import Rate, TokenBucket
    from crisol.resilience.cache import Cache
    from crisol.resilience.guard import BreakerRegistry, CircuitBreaker
    from crisol.resilience.kinds import Kind
    from crisol.wargaming.referee import Match, open_match
    from crisol.wargaming.vulnerability import Vulnerability
    from crisol.wiring import open_trials
    from crisol.workbench import (
        Dataset,
        decide,
        evaluate,
        features,
        find_vulnerability,
        load_model,
        predict,
        read_patches,
        recipe,
        serve,
        train,
        wargame,
    )

__all__ = [
    "BreakerRegistry",
    "Cache",
    "Candidate",
    "CircuitBreaker",
    "CircuitOpenError",
    "CrisolError",
    "Dataset",
    "DatasetError",
    "Decision",
    "DiffError",
    "DiffTooLarge",
    "Evaluation",
    "Experiment",
    "ExperimentError",
    "FittedModel",
    "HashSampler",
    "IndexUnavailable",
    "InputError",
    "IntegrityError",
    "Kind",
    "LabelledPatch",
    "MalformedDiff",
    "Match",
    "ModelError",
    "Origin",
    "Outcome",
    "Overloaded",
    "Patch",
    "PatchDoesNotApply",
    "Phase",
    "PhaseName",
    "Policy",
    "Prediction",
    "Predictor",
    "RandomSampler",
    "Rate",
    "RateLimited",
    "Reason",
    "SandboxError",
    "SandboxUnavailable",
    "Settings",
    "SettingsError",
    "Source",
    "StoreError",
    "Strength",
    "TokenBucket",
    "Trial",
    "TrialFilter",
    "TrialStore",
    "UnavailableError",
    "UnknownVulnerability",
    "UnsafeDiff",
    "UnsupportedDiff",
    "Variant",
    "Verdict",
    "Vulnerability",
    "VulnerabilityError",
    "decide",
    "evaluate",
    "features",
    "find_vulnerability",
    "load_model",
    "load_settings",
    "load_variants",
    "open_match",
    "open_trials",
    "parse",
    "predict",
    "read_patches",
    "recipe",
    "serve",
    "train",
    "wargame",
]

_HOMES = {
    "abtest": ("Experiment", "HashSampler", "RandomSampler", "TrialFilter", "TrialStore"),
    "config": ("Settings", "load_settings"),
    "diff": ("Patch", "parse"),
    "errors": (
        "CircuitOpenError", "CrisolError", "DatasetError", "DiffError", "DiffTooLarge", "ExperimentError",
        "IndexUnavailable", "InputError", "IntegrityError", "MalformedDiff", "ModelError", "Overloaded",
        "PatchDoesNotApply", "RateLimited", "SandboxError", "SandboxUnavailable", "SettingsError",
        "StoreError", "UnavailableError", "UnknownVulnerability", "UnsafeDiff", "UnsupportedDiff",
        "VulnerabilityError",
    ),
    "model.evaluation": ("Evaluation",),
    "model.policy": ("Policy",),
    "model.predictor": ("Predictor",),
    "model.training": ("FittedModel",),
    "model.variants": ("Variant", "load_variants"),
    "records": (
        "Candidate", "Decision", "LabelledPatch", "Origin", "Outcome", "Phase", "PhaseName", "Prediction",
        "Reason",
        "Source", "Strength", "Trial", "Verdict",
    ),
    "resilience.bucket": ("Rate", "TokenBucket"),
    "resilience.cache": ("Cache",),
    "resilience.guard": ("BreakerRegistry", "CircuitBreaker"),
    "resilience.kinds": ("Kind",),
    "wargaming.referee": ("Match", "open_match"),
    "wargaming.vulnerability": ("Vulnerability",),
    "wiring": ("open_trials",),
    "workbench": (
        "Dataset", "decide", "evaluate", "features", "find_vulnerability", "load_model", "predict",
        "read_patches", "recipe", "serve", "train",
        "wargame",
    ),
}  # fmt: skip
_HOME = {name: f"crisol.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'crisol' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
