"""Transformers from labelled patches to the matrix that an estimator reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import FeatureHasher

from crisol.diff import Patch
from crisol.errors import ModelError
from crisol.model.features import FEATURES, Feature
from crisol.model.reading import Reading, open_diff, read
from crisol.model.rows import columns, numbers
from crisol.model.source.features import SOURCE_FEATURES, PublicFacts, SourceFeature, vector
from crisol.model.text import ngrams
from crisol.records import LabelledPatch

__all__ = ["Leading", "PatchMatrix", "Squash"]


class PatchMatrix(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn transformer from labelled patches to a matrix, one row a patch; nothing is fitted.

    The matrix has these columns, in this order:

    - all features of the diff; with ``classic``, only the nine classic ones
    - with ``source``: the features of the vulnerable source
    - with both ``source`` and ``fix``: the distance between the patch and the known fix
    - one column for each function of ``own``, with the function's name
    - ``words`` columns of hashed words

    ``own`` are the caller's functions from a :class:`~crisol.model.reading.Reading` to a number. The matrix
    is a dense array if ``words`` is 0, otherwise a sparse one (CSR). With ``frame`` it is a pandas DataFrame,
    which never has the columns of hashed words.
    """

    own: tuple[Callable[[Reading], float], ...] = ()  # models that were kept before there was such a list
    fix: bool = False  # likewise

    def __init__(
        self,
        *,
        classic: bool = False,
        words: int = 0,
        source: bool = False,
        fix: bool = False,
        frame: bool = False,
        own: tuple[Callable[[Reading], float], ...] = (),
    ) -> None:
        self.classic = classic
        self.words = words
        self.source = source
        self.fix = fix
        self.frame = frame
        self.own = own

    @property
    def columns(self) -> int:
        """The number of feature columns; columns of hashed words do not count."""
        return len(self.features)

    @property
    def features(self) -> tuple[Feature | SourceFeature, ...]:
        """The features, with name, unit and meaning, in the order of the feature columns."""
        given = FEATURES[: columns(classic=self.classic)]
        return (*given, *self._beside, *map(_described, self.own))

    @property
    def _beside(self) -> tuple[SourceFeature, ...]:
        if not self.source:
            return ()
        return tuple(feature for feature in SOURCE_FEATURES if self.fix or feature.group != "fix")

    def fit(self, patches: Iterable[LabelledPatch], labels: object = None) -> Self:  # noqa: ARG002 - the contract
        """Return the transformer unchanged; both arguments are ignored, since nothing is learnt."""
        return self

    def transform(self, patches: Iterable[LabelledPatch]) -> Any:
        """Return the matrix, with one row for each patch: shape (patches, columns + words).

        It is a dense array, a sparse array (CSR) or a DataFrame, as the class says. A diff that
        :func:`crisol.diff.parse` refuses is read line by line, see :func:`crisol.model.reading.lenient`.
        """
        patches = list(patches)
        opened = [open_diff(patch.diff) for patch in patches]
        around = None
        if self.source:
            around = np.array(
                [
                    _around(
                        patch.diff,
                        tuple(sorted(patch.source.items())),
                        PublicFacts(patch.description, patch.pov, patch.fix if self.fix else ()),
                    )[: len(self._beside)]
                    for patch in patches
                ]
            )
        return self._rows(
            [read(diff, patch.cwe) for diff, patch in zip(opened, patches, strict=True)], around
        )

    def row(self, patch: Patch, cwe: str) -> Any:
        """Return the matrix of a single patch, shape (1, columns + words).

        It is an array, a sparse matrix or a DataFrame, as the class says. ``cwe`` is the CWE of the flaw, as
        ``CWE-79`` or ``79``; any other text means unknown. Raises :class:`~crisol.errors.ModelError` if the
        transformer was made with ``source``, because a diff does not contain the vulnerable source.
        """
        if self.source:
            raise ModelError(
                "this variant reads the source around a patch: it is measured, and cannot be served"
            )
        return self._rows([read(patch, cwe)])

    def _rows(self, readings: Sequence[Reading], around: NDArray[np.float64] | None = None) -> Any:
        features = numbers(readings, columns(classic=self.classic))
        if around is not None:
            features = np.hstack([features, around])
        if self.own:
            more = [[float(measure(reading)) for measure in self.own] for reading in readings]
            features = np.hstack([features, np.array(more).reshape(len(readings), len(self.own))])
        if self.frame:
            import pandas as pd  # noqa: PLC0415 - a service whose model reads no names does without

            return pd.DataFrame(features, columns=[feature.name for feature in self.features])
        if not self.words:
            return features
        hasher = FeatureHasher(self.words, input_type="string", alternate_sign=False)
        hashed = hasher.transform(ngrams(reading) for reading in readings)
        return hstack([csr_matrix(features), hashed], format="csr")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        return tags


def _described(measure: Callable[[Reading], float]) -> Feature:
    return Feature(measure.__name__, "", "own", (measure.__doc__ or "").strip(), measure)


@lru_cache(maxsize=16_384)
def _around(diff: str, source: tuple[tuple[str, str], ...], facts: PublicFacts) -> tuple[float, ...]:
    """Return the ``SOURCE_FEATURES`` of a patch, in their order; all are 0 if ``source`` is empty.

    ``source`` has pairs (path, vulnerable text). One computation takes about 10 ms, hence the cache.
    """
    return tuple(vector(open_diff(diff), dict(source), facts))


class Leading(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn transformer that keeps the first ``columns`` columns of a sparse matrix.

    They are the features; the hashed words behind them are dropped.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def fit(self, rows: NDArray[np.float64], labels: object = None) -> Self:  # noqa: ARG002 - the contract
        """Return the transformer unchanged; both arguments are ignored, since nothing is learnt."""
        return self

    def transform(self, rows: Any) -> NDArray[np.float64]:
        """Return the first ``columns`` columns of a sparse matrix as a dense array (rows, columns)."""
        return np.asarray(rows[:, : self.columns].toarray(), dtype=np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Squash(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn transformer that replaces every cell x of a matrix by sign(x) * log(1 + abs(x)).

    It keeps the large counts of long diffs from dominating a linear model.
    """

    def fit(self, rows: NDArray[np.float64], labels: object = None) -> Self:  # noqa: ARG002 - the contract
        """Return the transformer unchanged; both arguments are ignored, since nothing is learnt."""
        return self

    def transform(self, rows: Any) -> NDArray[np.float64]:
        """Return sign(x) * log(1 + abs(x)) of every cell x: 100 becomes 4.6, -1 becomes -0.7.

        ``rows`` is a dense or sparse matrix; the result is a dense array of the same shape.
        """
        rows = csr_matrix(rows).toarray()
        return np.asarray(np.sign(rows) * np.log1p(np.abs(rows)), dtype=np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return True
