"""Train a variant on all patches, calibrate it, and store it without pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from crisol.errors import ModelError
from crisol.model.calibration import Sigmoid, cross_fitted
from crisol.model.dataset import digest
from crisol.model.features import FEATURE_VERSION
from crisol.model.folds import grouped_folds, labels, out_of_fold
from crisol.model.matrix import Leading, PatchMatrix, Squash
from crisol.model.search import Taught, tuned
from crisol.model.soundness import sound, trees
from crisol.model.variants import Recipe
from crisol.records import LabelledPatch

__all__ = ["TRUSTED", "FittedModel", "load_fitted", "train"]

_FORMAT = "crisol-model-1"
_FOLDS = 5
_MAX_BYTES = 256 << 20

TRUSTED = (
    *(f"{kind.__module__}.{kind.__qualname__}" for kind in (Leading, PatchMatrix, Squash)),
    "collections.OrderedDict",
    "collections.defaultdict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""The types that a model file may hold in addition to the types that skops trusts.

A file with other types is refused before it is read.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """A trained model: a scikit-learn pipeline from labelled patches to scores, with its calibration.

    ``calibration`` maps the scores of ``pipeline`` to probabilities of valid. ``name`` is the variant's name;
    ``model_version`` is that name with a hash of training data, variant, seed and feature version. ``data``
    is the SHA-256 of the training patches, ``patches`` their number, ``groups`` the number of their groups.
    ``held_out`` (patches,) is the calibrated out-of-fold probability of valid for each training patch, from
    folds that split no group; a loaded model has none, shape (0,).
    """

    name: str
    pipeline: Pipeline
    calibration: Sigmoid
    model_version: str
    feature_version: str
    data: str
    patches: int
    groups: int
    seed: int
    held_out: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)

    def probabilities(self, patches: Sequence[LabelledPatch]) -> NDArray[np.float64]:
        """Return the calibrated probability of valid for each patch, shape (patches,).

        ``patches`` may be empty.
        """
        if not patches:
            return np.empty(0)
        with threadpool_limits(1):
            return self.calibration(self.pipeline.predict_proba(patches)[:, 1])

    def save(self, path: Path | str) -> None:
        """Write the model to a ``.skops`` file, which :func:`load_fitted` reads.

        The file's folder must exist; an existing file is replaced. ``held_out`` is not written. Raises
        :class:`~crisol.errors.ModelError` where the file cannot be written; no partial file is left then.
        """
        import skops.io  # noqa: PLC0415 - it imports all of scikit-learn, and only model files need it

        path = Path(path)
        content = {
            part.name: getattr(self, part.name)
            for part in dataclasses.fields(self)
            if part.name not in {"calibration", "pipeline", "held_out"}
        }
        content |= {
            "format": _FORMAT,
            "slope": self.calibration.slope,
            "intercept": self.calibration.intercept,
        }
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            draft.write_bytes(skops.io.dumps({"about": content, "pipeline": self.pipeline}))
            draft.replace(path)
        except OSError as error:
            raise ModelError(f"{path}: the model cannot be written: {error}") from None
        finally:
            draft.unlink(missing_ok=True)


def train(
    variant: Recipe, patches: Sequence[LabelledPatch], seed: int, *, search: bool = True
) -> FittedModel:
    """Train a variant on all patches, calibrate it on out-of-fold scores, and return the model.

    ``variant`` is a :class:`~crisol.model.variants.Variant`, or the caller's own estimator in a
    :class:`~crisol.model.variants.Given`. With ``search`` the hyper-parameters are chosen from the variant's
    grid on these patches; otherwise the variant's own are used. Those of a ``Given`` are never searched.
    ``seed`` draws the folds and seeds the estimator. The calibration uses up to five folds that split no
    group. Raises :class:`~crisol.errors.DatasetError` for fewer than two groups, or fewer than two patches of
    a class.
    """
    label = labels(patches)
    group = np.array([patch.group for patch in patches])
    matrix = variant.estimator(seed)[0]
    with threadpool_limits(1):
        rows = matrix.transform(patches)
        if search:
            variant, _ = tuned(variant, Taught(rows, label, group), matrix, seed=seed)
        pipeline = variant.estimator(seed)
        fold = grouped_folds(label, group, _FOLDS, seed)
        score = out_of_fold(pipeline[1], rows, label, fold)
        calibration = Sigmoid.fit(score, label)
        pipeline[1].fit(rows, label)
    data = digest(patches)
    recipe = json.dumps([data, variant.fingerprint, seed, FEATURE_VERSION], sort_keys=True)
    return FittedModel(
        name=variant.name,
        pipeline=pipeline,
        calibration=calibration,
        model_version=f"{variant.name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}",
        feature_version=FEATURE_VERSION,
        data=data,
        patches=len(patches),
        groups=len(np.unique(group)),
        seed=seed,
        held_out=cross_fitted(score, label, fold),
    )


def load_fitted(path: Path | str, trust: Collection[str] = ()) -> FittedModel:
    """Return the model in a ``.skops`` file that :meth:`FittedModel.save` wrote; no code in it is executed.

    ``trust`` names classes, as ``package.module.Class``, that the file may contain in addition to those that
    Crisol itself uses; the installed modules of these classes are imported. Raises
    :class:`~crisol.errors.ModelError` where the file is missing, damaged or larger than 256 MiB, contains
    other classes, or holds a model that was trained with another feature version than the present one.
    """
    path = Path(path)
    content = _content(path, trust)
    about = content.get("about") if isinstance(content, dict) else None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ModelError(f"{path}: not a model of this version of Crisol; train one anew")
    if about.get("feature_version") != FEATURE_VERSION:
        raise ModelError(
            f"{path}: trained on features {about.get('feature_version')!r}, these are {FEATURE_VERSION!r}; "
            "train anew"
        )
    fields: dict[str, Any] = {name: value for name, value in about.items() if name != "format"}
    try:
        calibration = Sigmoid(float(fields.pop("slope")), float(fields.pop("intercept")))
        pipeline = content["pipeline"]
        model = FittedModel(**fields, calibration=calibration, pipeline=pipeline)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: the model's description is incomplete: {error}") from None
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline[0], PatchMatrix):
        raise ModelError(f"{path}: no pipeline over patches in the model")
    if not all(sound(part) for part in trees(pipeline[1])):
        raise ModelError(f"{path}: a tree of the model points outside itself; the file was tampered with")
    return model


def _content(path: Path, trust: Collection[str]) -> Any:
    import skops.io  # noqa: PLC0415 - see FittedModel.save

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: more than {_MAX_BYTES} bytes; Crisol wrote no such model")
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error}") from None
    try:
        size, kinds = _unpacked(raw), set(skops.io.get_untrusted_types(data=raw))
    except Exception as error:  # noqa: BLE001 - a forged file can make every part of the decoder fail
        raise ModelError(f"{path}: cannot be read as a model: {type(error).__name__}: {error}") from None
    if size > 2 * _MAX_BYTES:
        raise ModelError(f"{path}: a model that unpacks to more than {2 * _MAX_BYTES} bytes")
    if foreign := sorted(kinds - set(TRUSTED) - set(trust)):
        raise ModelError(
            f"{path}: holds types that Crisol does not know: {', '.join(foreign)[:500]}; reading them runs "
            "their code. Name them in `trust`, or in CRISOL_TRUSTED_CLASSES, if you know where the file "
            "comes from"
        )
    try:
        return skops.io.loads(raw, trusted=[*TRUSTED, *trust])
    except Exception as error:  # noqa: BLE001 - as above
        raise ModelError(f"{path}: cannot be read as a model: {type(error).__name__}: {error}") from None


def _unpacked(raw: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return sum(entry.file_size for entry in archive.infolist())
