"""Predict one patch by a fitted linear or tree model without scikit-learn's overhead.

scikit-learn checks and copies every array at every step, which takes longer than the arithmetic of the model.
This module does the arithmetic alone, and leaves out hashed words that the patch does not contain.
Trees, alone or as members of a mean, are computed by ONNX Runtime.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from crisol.diff import Patch
from crisol.model.compiled import compilable, to_onnx
from crisol.model.matrix import PatchMatrix
from crisol.model.reading import read
from crisol.model.rows import numbers
from crisol.model.serving import Scorer, graph_scorer
from crisol.model.text import ngrams

__all__ = ["direct_scorer"]

_Words = tuple[NDArray[np.int32], NDArray[np.float64]]
"""The columns of the words that occur, and the number of times that each occurs; both have shape (words,)."""
_Member = Callable[[NDArray[np.float64], _Words], float]
"""A function of features, shape (1, columns), and words to the probability of class 1."""


def direct_scorer(pipeline: Pipeline) -> Scorer | None:
    """Return a function that computes a fitted pipeline's score of a single patch without scikit-learn.

    The function takes a patch and the CWE of its flaw, as ``CWE-79`` or ``79``, and returns the uncalibrated
    probability of valid. ``pipeline`` has two steps: a :class:`~crisol.model.matrix.PatchMatrix` and an
    estimator. The result is None for an estimator other than a logistic regression, a tree ensemble or a mean
    of these. It is also None for a matrix that has source features or the caller's own features, or that is a
    DataFrame. Raises :class:`~crisol.errors.ModelError` if the ONNX runtime cannot open the trees; the
    returned function raises it if the ONNX runtime fails.
    """
    matrix, estimator = pipeline[0], pipeline[1]
    if not isinstance(matrix, PatchMatrix) or matrix.source or matrix.frame or matrix.own:
        return None
    member = _member(estimator, matrix.columns)
    if member is None:
        return None
    columns = matrix.columns
    hasher = FeatureHasher(matrix.words, input_type="string", alternate_sign=False) if matrix.words else None

    def score(patch: Patch, cwe: str) -> float:
        reading = read(patch, cwe)
        words: _Words = np.empty(0, dtype=np.int32), np.empty(0)
        if hasher is not None:
            hashed = hasher.transform([ngrams(reading)])
            words = hashed.indices, hashed.data
        return member(numbers([reading], columns), words)

    return score


def _member(estimator: Any, columns: int) -> _Member | None:
    if isinstance(estimator, VotingClassifier):
        return _mean([_member(member, columns) for member in estimator.estimators_])
    classifier = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if compilable(classifier):
        walk = graph_scorer(to_onnx(classifier), columns, type(classifier).__name__)
        return lambda features, _: float(walk(features)[0])
    if isinstance(classifier, LogisticRegression) and isinstance(estimator[0], ColumnTransformer):
        return _linear(estimator[0], classifier)
    return None


def _mean(members: list[_Member | None]) -> _Member | None:
    direct = [member for member in members if member is not None]
    if len(direct) < len(members):
        return None
    return lambda features, words: sum([member(features, words) for member in direct]) / len(direct)


def _linear(parts: ColumnTransformer, classifier: LogisticRegression) -> _Member:
    """Return a function that computes the probability of class 1 by a fitted logistic regression.

    ``parts`` is the fitted transformer whose output ``classifier`` reads. If it takes no hashed words, the
    function ignores its own argument for words.
    """
    scale = parts.named_transformers_["features"]["scale"]
    weight = parts.transformer_weights["features"]
    coefficients, constant = classifier.coef_[0], float(classifier.intercept_[0])
    columns = len(scale.scale_)
    of_features = weight * coefficients[:columns] / scale.scale_
    constant -= float(of_features @ scale.mean_)
    weighting = parts.named_transformers_.get("words")
    idf = None if weighting is None else weighting.idf_
    of_words = None if idf is None else idf * coefficients[columns:]

    def probability(features: NDArray[np.float64], words: _Words) -> float:
        row = features[0]
        total = constant + float((np.sign(row) * np.log1p(np.abs(row))) @ of_features)
        at, counts = words
        if idf is not None and of_words is not None and len(at):
            sublinear = 1.0 + np.log(counts)
            weighted = sublinear * idf[at]
            total += float(sublinear @ of_words[at]) / math.sqrt(float(weighted @ weighted))
        return float(expit(total))

    return probability
