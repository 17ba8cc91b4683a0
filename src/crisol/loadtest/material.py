"""The patches of a load test, each with the verdict and prediction that an answer must agree with."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from crisol import diff
from crisol.config import Settings
from crisol.errors import CrisolError, DatasetError
from crisol.model import dataset, serving, training
from crisol.model.policy import Policy
from crisol.model.predictor import Predictor
from crisol.model.variants import load_variants
from crisol.records import Outcome
from crisol.wargaming.corpus import content_hash

__all__ = ["Item", "Material", "prepare"]

_VARIANT = "lightgbm"
_UNSURE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Item:
    """A patch of a load test, with its verdict in the corpus table and the prediction of the model in use.

    ``vulnerability`` is an id; ``cwe`` is text such as ``CWE-79``, "" if unknown. The verdict is ``outcome``,
    ``valid`` or ``invalid``, with the value of a :class:`~crisol.records.Reason` as ``reason``, "" for a
    valid patch. ``seconds`` is the duration of its wargame. ``probability`` is the predicted probability of
    valid.
    """

    vulnerability: str
    cwe: str
    diff: str
    outcome: str
    reason: str
    seconds: float
    probability: float

    @property
    def body(self) -> bytes:
        """The JSON body of the HTTP request that submits this patch to the service."""
        return msgspec.json.encode(
            {"diff": self.diff, "vulnerability": self.vulnerability, "cwe": self.cwe or None}
        )


@dataclass(frozen=True, slots=True)
class Material:
    """The patches of a load test (``items``), with the model and the policy of the service under load.

    ``model`` is the path of the model folder. ``policy`` says which patches are decided without a wargame.
    """

    items: tuple[Item, ...]
    model: Path
    policy: Policy

    @property
    def sure(self) -> float:
        """The share of the patches, 0 to 1, that the model decides without a wargame."""
        return float(self.policy.decides(np.array([item.probability for item in self.items])).mean())

    @property
    def wargame_seconds(self) -> float:
        """The mean time of a wargame, in seconds, over the patches that the model does not decide.

        If the model decides all patches, the mean is over all patches.
        """
        unsure = [item.seconds for item in self.items if self.policy.decide(item.probability) is None]
        return float(np.mean(unsure or [item.seconds for item in self.items]))


def prepare(settings: Settings, frame: pd.DataFrame, seed: int, *, unsure: float = _UNSURE_SHARE) -> Material:
    """Return the material of a load test: the patches of a corpus table, a model and a policy.

    ``frame`` is the corpus table; rows with an inconclusive verdict, or with a text that is no diff, are
    left out. The model is trained on the same patches, so a load test measures speed and not accuracy.
    ``seed`` is the seed of the training. The model is stored in the cache folder of ``settings``, and read
    from there for the same table and seed. The policy leaves about the share ``unsure`` of the patches, 0 to
    1, to a wargame. Raises :class:`~crisol.errors.DatasetError` unless the table has both valid and invalid
    patches.
    """
    frame = frame[frame["outcome"] != Outcome.INCONCLUSIVE].drop_duplicates(["vulnerability", "id"])
    if frame.empty or frame["outcome"].nunique() < 2:
        raise DatasetError("a load needs patches with either verdict; bring a larger corpus")
    folder = _model(settings, frame, seed)
    predictor = Predictor.load(folder)
    items = []
    for row in frame.to_dict("records"):
        try:
            patch = diff.parse(str(row["diff"]))
        except CrisolError:
            # A text that is no diff gets a status 4xx; a chaos test sends such texts on purpose and counts
            # them separately.
            continue
        cwe = str(row["cwe"] or "")
        items.append(
            Item(
                str(row["vulnerability"]),
                cwe,
                str(row["diff"]),
                str(row["outcome"]),
                str(row["reason"] or ""),
                float(row["seconds"]),
                predictor.predict(patch, cwe).probability,
            )
        )
    return Material(tuple(items), folder, policy_leaving([item.probability for item in items], unsure))


def policy_leaving(probabilities: Sequence[float], unsure: float) -> Policy:
    """Return a policy that leaves about the share ``unsure`` of the patches, 0 to 1, to a wargame.

    ``probabilities`` are the predicted probabilities of valid, one for each patch, at least one. The policy's
    two thresholds have the same distance from 0.5.
    """
    distance = np.sort(np.abs(np.asarray(probabilities) - 0.5))
    at = min(round(unsure * len(distance)), len(distance) - 1)
    # The threshold lies between two patches, so that no rounding decides on which side a patch lies.
    edge = float((distance[at] + distance[max(at - 1, 0)]) / 2) if unsure > 0 else 0.0
    edge = min(max(edge, 1e-6), 0.5)
    return Policy(0.5 + edge, 0.5 - edge, f"{unsure:.0%} of the patches are left to wargame")


def _model(settings: Settings, frame: pd.DataFrame, seed: int) -> Path:
    place = settings.cache.resolve() / "models" / f"{_VARIANT}-{content_hash(frame)[:16]}-{seed}"
    if place.is_dir():
        try:
            serving.open_serving(place)
        except CrisolError:
            # Another version made this model; the features have changed since.
            shutil.rmtree(place, ignore_errors=True)
        else:
            return place
    variant = load_variants(settings.root / "experiments" / "variants.yaml")[_VARIANT]
    place.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=".making-"))
    try:
        serving.export(training.train(variant, dataset.from_table(frame), seed=seed), folder)
        os.replace(folder, place)  # noqa: PTH105 - Path.replace says the same
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(folder, ignore_errors=True)
    return place
