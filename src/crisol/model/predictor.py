"""One patch in, one probability out."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.training import FittedModel, load
from crisol.records import Prediction

__all__ = ["Predictor"]


class Predictor:
    """Predicts single patches; safe to share between threads, as nothing in it changes.

    Set ``OMP_NUM_THREADS=1`` in a process that serves: more threads only make a single row slower.
    """

    def __init__(self, model: FittedModel) -> None:
        self.model = model
        self._matrix = model.pipeline[0]
        self._estimator = model.pipeline[1]

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Open a saved model. Raises :class:`~crisol.errors.ModelError`."""
        return cls(load(path))

    def predict(self, patch: Patch, cwe: str) -> Prediction:
        """Return the calibrated probability that a wargame would say valid, and the seconds that it took.

        Raises :class:`~crisol.errors.ModelError` where the model does not answer with a probability.
        """
        start = perf_counter()
        try:
            score = self._estimator.predict_proba(self._matrix.row(patch, cwe))[:, 1]
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ModelError(f"the model {self.model.model_version} does not answer: {error}") from error
        probability = float(self.model.calibration(score)[0])
        if not np.isfinite(probability):
            raise ModelError(f"the model {self.model.model_version} answered {probability}")
        return Prediction(
            probability, self.model.model_version, self.model.feature_version, perf_counter() - start
        )
