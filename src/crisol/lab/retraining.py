"""Retraining: what the trials teach, learnt by a challenger and held against learning without them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crisol.abtest.patches import PatchStore
from crisol.abtest.store import TrialFilter
from crisol.config import Settings
from crisol.errors import DatasetError, ExperimentError, ModelError
from crisol.lab.compare import chosen_variants
from crisol.lab.promotion import not_worse
from crisol.lab.registry import CHALLENGER
from crisol.lab.tracking import TrackedRun
from crisol.model import dataset, scores, serving, training
from crisol.records import LabelledPatch, Outcome, Trial
from crisol.wiring import open_trials

__all__ = ["Design", "Gathered", "Retraining", "gather", "labelled", "retrain"]

_ABSTAINS = "retrained on trials: promote the variant to have thresholds chosen"

_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """The patches of the trials, one for each vulnerability and patch, and what had to be left out."""

    patches: tuple[LabelledPatch, ...]
    inconclusive: int
    """Trials without a verdict."""
    without_text: int
    """Patches of which only the identity is known."""


@dataclass(frozen=True, slots=True)
class Design:
    """Which variant learns, and which share of the trials' vulnerabilities it is tested on; ``seed`` draws them."""

    variant: str
    seed: int
    held_out: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise ExperimentError(f"held_out must lie between 0 and 1, not {self.held_out}")


@dataclass(frozen=True, slots=True)
class Retraining:
    """What came of it: ``table`` has a row a model, measured on held-out vulnerabilities of the trials."""

    table: pd.DataFrame
    not_worse: bool
    reason: str
    version: str
    """Of the registered challenger, which learnt from everything."""

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of both models, without those that the held-out trials cannot give."""
        rows = self.table.set_index("model").to_dict("index")
        values = {
            f"{str(model).replace(' ', '_')}.{name}": float(value)
            for model, row in rows.items()
            for name, value in row.items()
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}


def gather(settings: Settings, frame: pd.DataFrame, experiment: str | None = None) -> Gathered:
    """Return the labelled patches of every trial that is stored, or of one experiment's."""
    with closing(open_trials(settings, patience=_PATIENCE)) as store:
        trials = list(store.read(TrialFilter(experiment=experiment)))
    return labelled(trials, frame, PatchStore(settings.patches))


def labelled(trials: Iterable[Trial], frame: pd.DataFrame, store: PatchStore) -> Gathered:
    """Turn trials into labelled patches; their text comes from the corpus table, else from the patch store.

    The last conclusive verdict counts where a patch was wargamed more than once.
    """
    known = {(str(row["vulnerability"]), str(row["id"])): row for row in frame.to_dict("records")}
    projects = {name: str(row["project"]) for (name, _), row in known.items()}
    found: dict[tuple[str, str], LabelledPatch] = {}
    missing: set[tuple[str, str]] = set()
    inconclusive = 0
    for trial in trials:
        if trial.outcome is Outcome.INCONCLUSIVE:
            inconclusive += 1
            continue
        key = (trial.vulnerability, trial.patch)
        text = str(known[key]["diff"]) if key in known else store.get(trial.patch)
        if text is None:
            missing.add(key)
            continue
        found[key] = LabelledPatch(
            id=trial.patch,
            group=trial.vulnerability,
            project=projects.get(trial.vulnerability, trial.vulnerability),
            label=int(trial.outcome is Outcome.VALID),
            diff=text,
            cwe=trial.cwe,
            tool="trial",
            reason=str(trial.reason or ""),
        )
    return Gathered(tuple(found[key] for key in sorted(found)), inconclusive, len(missing))


def retrain(
    settings: Settings, tracked: TrackedRun, frame: pd.DataFrame, gathered: Gathered, design: Design
) -> Retraining:
    """Train a variant on the corpus and the trials, and register it as challenger.

    First a share of the vulnerabilities that have trials is set aside, from both sources. The variant
    learns the rest once with the trials and once without, and both predict what was set aside. Raises
    :class:`~crisol.errors.DatasetError` where the trials are of fewer than two vulnerabilities.
    """
    variant, seed, held_out = design.variant, design.seed, design.held_out
    names = np.array(sorted({patch.group for patch in gathered.patches}))
    if len(names) < 2:
        raise DatasetError(
            f"the trials are of {len(names)} vulnerabilities; retraining needs two, one of them to be tested on"
        )
    count = min(max(round(held_out * len(names)), 1), len(names) - 1)
    aside = set(np.random.default_rng(seed).permutation(names)[:count].tolist())
    taught = {(patch.group, patch.id) for patch in gathered.patches}
    base = [patch for patch in dataset.from_table(frame) if (patch.group, patch.id) not in taught]
    test = [patch for patch in gathered.patches if patch.group in aside]
    without = [patch for patch in base if patch.group not in aside]
    chosen = chosen_variants(settings, [variant])[variant]
    truth = np.array([patch.label for patch in test])
    groups = np.array([patch.group for patch in test])
    rows, errors = [], []
    for name, patches in (
        ("with trials", [*without, *(one for one in gathered.patches if one.group not in aside)]),
        ("without", without),
    ):
        said = training.train(chosen, patches, seed).probabilities(test)
        error = (said - truth) ** 2
        # Nobody decides alone here, so both cost a wargame a patch.
        errors.append((error, np.ones(len(test))))
        rows.append(
            {"model": name, "learnt": len(patches), "tested": len(test), "auc": scores.auc(truth, said)}
            | {"brier": float(error.mean())}
        )
    better, reason = not_worse(errors[0], errors[1], groups, seed=seed)
    version = _register(settings, tracked, variant, [*base, *gathered.patches], seed)
    return Retraining(pd.DataFrame(rows), better, reason, version)


def _register(
    settings: Settings, tracked: TrackedRun, name: str, patches: Sequence[LabelledPatch], seed: int
) -> str:
    model = training.train(chosen_variants(settings, [name])[name], patches, seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        serving.export(model, folder, reason=_ABSTAINS)
        if (gap := serving.difference(model, folder, patches)) > serving.PARITY:
            raise ModelError(
                f"{name}: the compiled form differs by {gap:.2g} from the model that it was made from"
            )
        tags = {
            "variant": name,
            "model_version": model.model_version,
            "feature_version": model.feature_version,
            "seed": str(seed),
            "trials": "true",
        }
        return tracked.register(folder, tags, CHALLENGER)
