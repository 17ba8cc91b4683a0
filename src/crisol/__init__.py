"""Crisol: how far can a model stand in for running the exploit?

The names below are the public interface; each is imported when it is first used, so that ``import crisol`` costs
nothing. Everything else is an implementation detail of its module.

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
    from crisol.errors import CrisolError
    from crisol.model.evaluation import Evaluation, evaluate
    from crisol.model.predictor import Predictor
    from crisol.model.training import FittedModel, train
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
    from crisol.wargame.referee import Match, open_match
    from crisol.wargame.vulnerability import Vulnerability, find, load
    from crisol.wiring import open_trials
    from crisol.workbench import find_vulnerability, serve, wargame

__all__ = [
    "BreakerRegistry",
    "Cache",
    "Candidate",
    "CircuitBreaker",
    "CrisolError",
    "Decision",
    "Evaluation",
    "Experiment",
    "FittedModel",
    "HashSampler",
    "Kind",
    "LabelledPatch",
    "Match",
    "Origin",
    "Outcome",
    "Patch",
    "Phase",
    "PhaseName",
    "Prediction",
    "Predictor",
    "RandomSampler",
    "Rate",
    "Reason",
    "Settings",
    "Source",
    "Strength",
    "TokenBucket",
    "Trial",
    "TrialFilter",
    "TrialStore",
    "Variant",
    "Verdict",
    "Vulnerability",
    "evaluate",
    "find",
    "find_vulnerability",
    "load",
    "load_settings",
    "load_variants",
    "open_match",
    "open_trials",
    "parse",
    "serve",
    "train",
    "wargame",
]

_HOMES = {
    "abtest": ("Experiment", "HashSampler", "RandomSampler", "TrialFilter", "TrialStore"),
    "config": ("Settings", "load_settings"),
    "diff": ("Patch", "parse"),
    "errors": ("CrisolError",),
    "model.evaluation": ("Evaluation", "evaluate"),
    "model.predictor": ("Predictor",),
    "model.training": ("FittedModel", "train"),
    "model.variants": ("Variant", "load_variants"),
    "records": (
        "Candidate", "Decision", "LabelledPatch", "Origin", "Outcome", "Phase", "PhaseName", "Prediction", "Reason",
        "Source", "Strength", "Trial", "Verdict",
    ),
    "resilience.bucket": ("Rate", "TokenBucket"),
    "resilience.cache": ("Cache",),
    "resilience.guard": ("BreakerRegistry", "CircuitBreaker"),
    "resilience.kinds": ("Kind",),
    "wargame.referee": ("Match", "open_match"),
    "wargame.vulnerability": ("Vulnerability", "find", "load"),
    "wiring": ("open_trials",),
    "workbench": ("find_vulnerability", "serve", "wargame"),
}  # fmt: skip
_HOME = {name: f"crisol.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'crisol' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
