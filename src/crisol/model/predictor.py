"""Predict a single patch with a loaded model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch, parse
from crisol.errors import IntegrityError, ModelError
from crisol.model.serving import PARITY, PROBE, Scorer, Serving, onnx_scorer, open_serving
from crisol.records import Prediction

if TYPE_CHECKING:
    from crisol.model.training import FittedModel

__all__ = ["Predictor"]


class _RowMaker(Protocol):
    def row(self, patch: Patch, cwe: str) -> NDArray[np.float64]:
        """Return the features of a single patch, shape (1, columns); ``cwe`` is text such as ``CWE-79``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A loaded model: its description, and the function that computes scores.

    ``serving`` is the content of ``serving.json`` in the model folder. ``score(patch, cwe)`` returns the
    uncalibrated probability of valid; ``cwe`` is text such as ``CWE-79``. ``form`` names the library that
    computes the score: ``onnx``, ``numpy`` or ``scikit-learn``.
    """

    serving: Serving
    form: str
    score: Scorer


class Predictor:
    """A loaded model that predicts single patches; it never changes, and threads may share it.

    :meth:`load` makes it from files; ``Predictor(model)`` makes it from a trained model, or from a
    :class:`Served`. The attribute ``serving`` describes the model: model version, feature version,
    calibration and policy. The attribute ``form`` names the library that computes. For a model folder it is
    ``onnx`` for a tree ensemble and ``numpy`` for a logistic regression or a mean; in all other cases it is
    ``scikit-learn``. Set the environment variable ``OMP_NUM_THREADS=1`` in a process that serves: with more
    threads single predictions only take longer.
    """

    def __init__(self, model: FittedModel | Served) -> None:
        served = model if isinstance(model, Served) else _plain(model)
        self.serving, self.form, self._score = served.serving, served.form, served.score
        self._calibrate = self.serving.calibration.one

    @classmethod
    def load(cls, path: Path | str, trust: Collection[str] = ()) -> Self:
        """Load a model from a model folder or from a ``.skops`` file; no code in the files is executed.

        ``trust`` names classes, as ``package.module.Class``, that a ``.skops`` file may contain in addition
        to those that Crisol itself uses; the installed modules of these classes are imported. Raises
        :class:`~crisol.errors.ModelError` where the model is missing or damaged, contains other classes, or
        was trained with another feature version than the present one.
        """
        path = Path(path)
        if not path.is_dir():
            return cls(_fitted(path, trust))
        serving = open_serving(path)
        if serving.sha256:
            return cls(Served(serving, "onnx", _single(serving.rows, onnx_scorer(path, serving))))
        fitted = _fitted(path / "model.skops", trust)
        if fitted.model_version != serving.model_version:
            raise ModelError(f"{path}: model.skops is not the model that serving.json describes")
        return cls(_direct(fitted, serving))

    def predict(self, patch: Patch, cwe: str) -> Prediction:
        """Return the calibrated probability that a wargame would give the verdict valid; no wargame runs.

        The result also holds the versions of model and features, and the seconds that the prediction took.
        ``cwe`` is the CWE of the flaw, as ``CWE-79`` or ``79``; any other text means unknown. Raises
        :class:`~crisol.errors.ModelError` where the model fails or gives no finite number.
        """
        start = perf_counter()
        version = self.serving.model_version
        try:
            score = self._score(patch, cwe)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ModelError(f"the model {version} does not answer: {error}") from error
        if not math.isfinite(score):
            raise ModelError(f"the model {version} answered {score}")
        probability = self._calibrate(score)
        return Prediction(probability, version, self.serving.feature_version, perf_counter() - start)

    def check(self) -> None:
        """Check that the model gives a fixed test patch the probability that was stored at its export.

        The test patch is :data:`crisol.model.serving.PROBE`. A model without a stored probability passes.
        Raises :class:`~crisol.errors.IntegrityError` where the probabilities differ by more than 1e-5,
        because the model file or the code of the features has changed; raises
        :class:`~crisol.errors.ModelError` where the model cannot predict.
        """
        golden = self.serving.golden
        if golden is None:
            return
        probability = self.predict(parse(PROBE.diff), PROBE.cwe).probability
        if abs(probability - golden) > PARITY:
            raise IntegrityError(
                f"the model {self.serving.model_version} gives the probe {probability:.6f} as {self.form}, "
                f"and gave it {golden:.6f} when it was exported; promote it anew"
            )


def _single(matrix: _RowMaker, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Scorer:
    return lambda patch, cwe: float(score(matrix.row(patch, cwe))[0])


def _fitted(path: Path, trust: Collection[str]) -> FittedModel:
    from crisol.model.training import load_fitted  # noqa: PLC0415 - the compiled form needs no scikit-learn

    return load_fitted(path, trust)


def _direct(model: FittedModel, serving: Serving) -> Served:
    """Return a model that has no ONNX file; NumPy computes its scores where it can, else scikit-learn."""
    from crisol.model.direct import direct_scorer  # noqa: PLC0415 - only models that need scikit-learn pay for it

    score = direct_scorer(model.pipeline)
    return replace(_plain(model), serving=serving) if score is None else Served(serving, "numpy", score)


def _plain(model: FittedModel) -> Served:
    matrix, estimator = model.pipeline[0], model.pipeline[1]
    serving = Serving(
        model.name,
        model.model_version,
        model.feature_version,
        model.calibration.slope,
        model.calibration.intercept,
        "",
        classic=bool(matrix.classic),
    )
    return Served(serving, "scikit-learn", _single(matrix, lambda rows: estimator.predict_proba(rows)[:, 1]))
