"""Compute the row of features that a served model reads from a patch.

This needs NumPy and nothing heavier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch
from crisol.model.classic import CLASSIC
from crisol.model.features import FEATURES, measure
from crisol.model.reading import Reading, read

__all__ = ["Rows", "columns", "numbers"]


@dataclass(frozen=True, slots=True)
class Rows:
    """The features that a model reads from a patch; :meth:`row` computes them.

    If ``classic`` is True, they are the nine classic features, otherwise all features of the diff.
    """

    classic: bool = False

    @property
    def columns(self) -> int:
        """The number of features in a row."""
        return columns(classic=self.classic)

    def row(self, patch: Patch, cwe: str) -> NDArray[np.float64]:
        """Return the features of a single patch, shape (1, columns).

        ``cwe`` is the CWE of the flaw, as ``CWE-79`` or ``79``; any other text means unknown.
        """
        return numbers([read(patch, cwe)], self.columns)


def columns(*, classic: bool) -> int:
    """Return the number of features: nine with ``classic``, otherwise that of all features of a diff."""
    return len(CLASSIC) if classic else len(FEATURES)


def numbers(readings: Sequence[Reading], columns: int) -> NDArray[np.float64]:
    """Return the features of each reading, shape (readings, columns), rounded to 32-bit floats.

    The columns are the first ``columns`` features of the tuple :data:`~crisol.model.features.FEATURES`.
    """
    rows = np.array([measure(reading, columns) for reading in readings], dtype=np.float64)
    # Trees fitted on 32-bit numbers fall the same way when a compiled form, which has no others, walks them.
    return rows.astype(np.float32).astype(np.float64).reshape(len(readings), columns)
