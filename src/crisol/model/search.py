"""Search hyper-parameters inside a training set.

Inner folds split no group; test patches are not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from crisol.errors import DatasetError
from crisol.model import scores
from crisol.model.folds import grouped_folds
from crisol.model.matrix import PatchMatrix
from crisol.model.variants import Given, Recipe, Variant

__all__ = ["Choice", "Taught", "tuned"]

_INNER = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The hyper-parameters that a search chose for one fold and one variant.

    ``fold`` is the number of the test fold that the search did not see, or -1 for a search on all patches.
    ``variant`` is the variant's name; for a member of a mean it is ``mean/member``, with the names of both.
    ``parameters`` is text such as ``num_leaves=16``; it is empty if the variant's own hyper-parameters were
    best. ``auc`` is the mean AUC of these hyper-parameters over the inner folds on which they were tried.
    """

    fold: int
    variant: str
    parameters: str
    auc: float
    """The mean AUC over the inner folds, each predicted by a model that was not trained on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A training set in the form in which an estimator reads it.

    ``rows`` is a matrix (n, columns); ``label`` (n,) is 1 for a valid patch, 0 for an invalid one. ``unit``
    (n,) names the unit of each row: its vulnerability, project or CWE. No inner fold splits a unit.
    """

    rows: Any
    label: NDArray[np.int_]
    unit: NDArray[np.str_]


def tuned(
    variant: Recipe,
    taught: Taught,
    matrix: PatchMatrix,
    *,
    seed: int,
    fold: int = -1,
) -> tuple[Recipe, tuple[Choice, ...]]:
    """Return (variant with the best hyper-parameters of its grid, one ``Choice`` for each search).

    ``taught`` is the training set, ``matrix`` the transformer that computed its rows, ``seed`` the seed of
    folds and estimators. ``fold`` is the number of the test fold, which each choice records, -1 for a search
    on all patches.

    The search is successive halving (Jamieson and Talwalkar, 2016). All entries of the grid, and the
    variant's own hyper-parameters, are tried on the first of three inner folds. The half with the larger AUC
    is tried on the next inner fold, and so on; the largest mean AUC wins. Where two are equal, the entry with
    the larger mean AUC before this fold is preferred, on the first fold the earlier one. Each member of a
    mean is searched by itself. A variant without a grid, a :class:`~crisol.model.variants.Given` estimator,
    and a training set too small for folds give the variant unchanged and no choices.
    """
    if isinstance(variant, Given):
        return variant, ()
    try:
        inner = grouped_folds(taught.label, taught.unit, _INNER, seed)
    except DatasetError:
        return variant, ()
    if not variant.members:
        return _search(variant, taught, inner, (matrix, seed, fold))
    members, choices = [], []
    for member in variant.members:
        best, choice = _search(member, taught, inner, (matrix, seed, fold))
        members.append(best)
        choices += [replace(picked, variant=f"{variant.name}/{picked.variant}") for picked in choice]
    return variant.model_copy(update={"members": tuple(members)}), tuple(choices)


def _search(
    variant: Variant, taught: Taught, inner: NDArray[np.int_], how: tuple[PatchMatrix, int, int]
) -> tuple[Variant, tuple[Choice, ...]]:
    if not variant.grid:
        return variant, ()
    matrix, seed, fold = how
    points = (variant, *variant.points)
    models = [point.classifier(matrix, seed) for point in points]
    aucs: list[list[float]] = [[] for _ in points]
    remaining = list(range(len(points)))
    for number in np.unique(inner):
        for at in remaining:
            aucs[at].append(_auc(models[at], taught, inner == number))
        # The sort is stable: a tie keeps the order before this fold, at first that of the grid.
        remaining = sorted(remaining, key=lambda at: -float(np.mean(aucs[at])))[: len(remaining) // 2 or 1]
        if len(remaining) == 1:
            break
    best = remaining[0]
    changed = ", ".join(f"{name}={value}" for name, value in ({}, *variant.grid)[best].items())
    return points[best], (Choice(fold, variant.name, changed, float(np.mean(aucs[best]))),)


def _auc(model: Any, taught: Taught, inside: NDArray[np.bool_]) -> float:
    label = taught.label[~inside]
    if label.min() == label.max():
        return 0.5
    fitted = clone(model).fit(taught.rows[~inside], label)
    value = scores.auc(taught.label[inside], fitted.predict_proba(taught.rows[inside])[:, 1])
    return value if np.isfinite(value) else 0.5
