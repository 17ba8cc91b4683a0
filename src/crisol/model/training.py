"""Fit a variant on everything that is known, calibrated, and keep it without pickle."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from crisol.errors import DatasetError, ModelError
from crisol.model.dataset import content_hash
from crisol.model.evaluation import calibrated, folds_by_group, log_odds
from crisol.model.features import FEATURE_VERSION
from crisol.model.variants import Variant
from crisol.records import LabelledPatch, Prediction

__all__ = ["Predictor", "load", "train"]

_TRUSTED_PREFIXES = ("sklearn.", "numpy.", "crisol.model.variants.", "scipy.sparse.")


@dataclass(frozen=True, slots=True)
class _Card:
    """What a saved model says of itself."""

    version: str
    feature_version: str
    variant: str
    data: str
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted, calibrated model of single patches; get one from :func:`train` or :func:`load`."""

    pipeline: Pipeline
    card: _Card

    def predict(self, diff: str, cwe: str = "") -> Prediction:
        """Return the probability that a wargame of this diff would say valid; ``seconds`` of wall time inside."""
        start = time.perf_counter()
        patch = LabelledPatch(id="", group="", project="", label=0, diff=diff, cwe=cwe)
        raw = np.asarray(self.pipeline.predict_proba([patch])[:, 1])
        odds = self.card.slope * float(log_odds(raw)[0]) + self.card.intercept
        probability = 1.0 / (1.0 + math.exp(-odds))
        return Prediction(
            probability, self.card.version, self.card.feature_version, time.perf_counter() - start
        )

    def save(self, folder: Path) -> None:
        """Write ``model.skops`` and ``card.json`` into a new folder."""
        folder.mkdir(parents=True)
        skops.io.dump(self.pipeline, folder / "model.skops")
        (folder / "card.json").write_text(json.dumps(asdict(self.card), indent=2) + "\n")


def train(variant: Variant, patches: Sequence[LabelledPatch], *, seed: int) -> Predictor:
    """Fit on every patch, calibrate on folds by group.

    The version is a hash of data, variant, seed and features: the same inputs make the same model. Raises
    :class:`~crisol.errors.DatasetError` where there are fewer than two groups or one class only.
    """
    truth = np.array([patch.label for patch in patches])
    groups = np.array([patch.group for patch in patches])
    if len(set(groups)) < 2 or len(set(truth)) < 2:
        raise DatasetError("training needs at least two groups and both classes")
    held_out = np.zeros(len(truth))
    for fit, held in folds_by_group(groups, 5, seed):
        model = variant.estimator(seed).fit([patches[at] for at in fit], truth[fit])
        held_out[held] = model.predict_proba([patches[at] for at in held])[:, 1]
    slope, intercept = calibrated(truth, held_out)
    data = content_hash(patches)
    recipe = json.dumps([data, asdict(variant), seed, FEATURE_VERSION], sort_keys=True)
    version = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    card = _Card(version, FEATURE_VERSION, variant.name, data, slope, intercept)
    return Predictor(variant.estimator(seed).fit(list(patches), truth), card)


def load(folder: Path) -> Predictor:
    """Read a saved model; only types of scikit-learn, NumPy, SciPy and our own are ever built from the file.

    Raises :class:`~crisol.errors.ModelError` where the folder is not one of ours, is damaged, or was made for
    other features.
    """
    path = folder / "model.skops"
    try:
        card = _Card(**json.loads((folder / "card.json").read_text()))
        types = skops.io.get_untrusted_types(file=path)
    except Exception as error:  # a damaged archive can fail anywhere in the reader
        raise ModelError(f"{folder}: not a model that can be read ({error}); train it anew") from error
    foreign = [name for name in types if not name.startswith(_TRUSTED_PREFIXES)]
    if foreign:
        raise ModelError(f"{path} wants to build {', '.join(foreign)}, which a model of ours never does")
    try:
        pipeline: Any = skops.io.load(path, trusted=types)
    except Exception as error:
        raise ModelError(f"{folder}: not a model that can be read ({error}); train it anew") from error
    if card.feature_version != FEATURE_VERSION or not isinstance(pipeline, Pipeline):
        raise ModelError(f"{folder}: made for features {card.feature_version}, this is {FEATURE_VERSION}")
    return Predictor(pipeline, card)
