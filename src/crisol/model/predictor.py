"""One patch in, one probability out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Self

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.matrix import PatchMatrix
from crisol.model.serving import Served, Serving, open_serving, scorer
from crisol.model.training import FittedModel, load
from crisol.records import Prediction

__all__ = ["Predictor"]


class Predictor:
    """Predicts single patches; safe to share between threads, as nothing in it changes.

    ``serving`` names the model's versions and the thresholds at which it may decide alone. Set ``OMP_NUM_THREADS=1``
    in a process that serves: more threads only make a single row slower.
    """

    def __init__(self, model: FittedModel | Served) -> None:
        self.model = model if isinstance(model, Served) else _plain(model)
        self.serving = self.model.serving
        self._matrix, self._score = self.model.matrix, self.model.score
        self._calibrate = self.serving.calibration.one

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Open the folder of a promoted model, in its compiled form where it has one, or a ``.skops`` file.

        Nothing that the files hold is executed. Raises :class:`~crisol.errors.ModelError`.
        """
        path = Path(path)
        if not path.is_dir():
            return cls(load(path))
        serving = open_serving(path)
        if serving.sha256:
            matrix = PatchMatrix(classic=serving.classic)
            return cls(Served(serving, matrix, scorer(path, serving, matrix.columns)))
        fitted = load(path / "model.skops")
        if fitted.model_version != serving.model_version:
            raise ModelError(f"{path}: model.skops is not the model that serving.json describes")
        return cls(replace(_plain(fitted), serving=serving))

    def predict(self, patch: Patch, cwe: str) -> Prediction:
        """Return the calibrated probability that a wargame would say valid, and the seconds that it took.

        Raises :class:`~crisol.errors.ModelError` where the model does not answer with a probability.
        """
        start = perf_counter()
        version = self.serving.model_version
        try:
            score = self._score(self._matrix.row(patch, cwe))
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ModelError(f"the model {version} does not answer: {error}") from error
        if not math.isfinite(score[0]):
            raise ModelError(f"the model {version} answered {score[0]}")
        probability = self._calibrate(float(score[0]))
        return Prediction(probability, version, self.serving.feature_version, perf_counter() - start)


def _plain(model: FittedModel) -> Served:
    estimator = model.pipeline[1]
    serving = Serving(
        model.name,
        model.model_version,
        model.feature_version,
        model.calibration.slope,
        model.calibration.intercept,
        "",
        bool(model.pipeline[0].classic),
    )
    return Served(serving, model.pipeline[0], lambda rows: estimator.predict_proba(rows)[:, 1])
