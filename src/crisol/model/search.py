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

__all__ = ["Choice", "Memo", "Taught", "tuned"]

_INNER = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The hyper-parameters that one search chose for a variant, or for one member of a mean of variants.

    ``fold`` is the test fold whose training set was searched, -1 for a search on all patches. ``variant`` is
    the name, for a member ``mean/member``. ``parameters`` is text such as ``num_leaves=16``, empty where
    those of the variant were best. ``auc`` is the mean over the inner validation folds.
    """

    fold: int
    variant: str
    parameters: str
    auc: float
    """Mean AUC over the inner folds on which it was tried, on groups that the model had not seen."""


Memo = dict[tuple[int, str], tuple[Variant, tuple[Choice, ...]]]
"""Searches by fold and variant, for one set, seed and kind of folds.

A mean of variants reuses the searches of its members.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A training set as an estimator reads it.

    ``rows`` has shape (n, columns), ``label`` (n,) is 1 for valid. ``unit`` (n,) names the vulnerability (or
    project, or CWE) of each row; no inner fold splits a unit.
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
    memo: Memo | None = None,
) -> tuple[Recipe, tuple[Choice, ...]]:
    """Return the variant with the best hyper-parameters of its grid on a training set, and the choices.

    ``taught`` is the training set, ``matrix`` the transformer that made it. The search is successive halving
    (Jamieson and Talwalkar, 2016): there are three inner folds; all points of the grid are tried on one of
    them, the half with the larger mean AUC on the next, until one point is left. Of equal points the earlier
    one wins. The members of a mean are searched one by one. A :class:`~crisol.model.variants.Given`
    estimator, or a set that cannot be split, returns the variant unchanged and no choices. ``fold`` is
    recorded in the choices. ``memo`` is a dict that stores searches for the next call; None stores nothing.
    """
    if isinstance(variant, Given):
        return variant, ()
    try:
        inner = grouped_folds(taught.label, taught.unit, _INNER, seed)
    except DatasetError:
        return variant, ()
    memory: Memo = {} if memo is None else memo
    members, choices = [], []
    for member in variant.members or (variant,):
        key = (fold, member.model_dump_json())
        if key not in memory:
            memory[key] = _search(member, taught, inner, (matrix, seed, fold))
        best, choice = memory[key]
        if not variant.members:
            return best, choice
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
        # The sort is stable: on a tie the earlier point is ahead.
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
