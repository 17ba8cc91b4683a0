"""One patch in, one probability out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Self

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.rows import Rows
from crisol.model.serving import Served, Serving, open_serving, scorer
from crisol.records import Prediction

if TYPE_CHECKING:
    from crisol.model.training import FittedModel

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
            return cls(_fitted(path))
        serving = open_serving(path)
        if serving.sha256:
            rows = Rows(classic=serving.classic)
            return cls(Served(serving, rows, scorer(path, serving, rows.columns)))
        fitted = _fitted(path / "model.skops")
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


def _fitted(path: Path) -> FittedModel:
    from crisol.model.training import load  # noqa: PLC0415 - whoever has the compiled form needs no scikit-learn

    return load(path)


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
