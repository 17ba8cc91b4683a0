"""Folds that split no group, and out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from crisol.errors import DatasetError
from crisol.records import LabelledPatch

__all__ = ["across", "grouped_folds", "labels", "out_of_fold", "random_folds"]


def labels(patches: Sequence[LabelledPatch]) -> NDArray[np.int_]:
    """Return the labels of n patches, shape (n,): 1 for a valid patch, 0 for an invalid one.

    Raises :class:`~crisol.errors.DatasetError` unless there are valid and invalid patches.
    """
    label = np.array([patch.label for patch in patches], dtype=np.int_)
    right = int(label.sum())
    if not 0 < right < len(label):
        raise DatasetError(f"{right} of {len(label)} patches are correct: a model needs both classes")
    return label


def grouped_folds(label: NDArray[np.int_], unit: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int_]:
    """Return the number of each patch's fold, shape (n,), counted from 0; no fold splits a unit.

    ``unit`` (n,) names the unit of each patch, such as its vulnerability: patches of one unit are in one
    fold. ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; the folds have similar shares of both,
    as far as the units allow. ``folds`` is the largest number of folds; there are fewer if there are fewer
    units, or fewer patches of the rarer class. ``seed`` draws the folds. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two units, fewer than two patches of a class, or
    ``folds`` below two.
    """
    units = len(np.unique(unit))
    if units < 2:
        raise DatasetError("all patches belong to one group: nothing would be left to test on")
    if folds < 2:
        raise DatasetError(f"{folds} folds: cross-validation takes at least two")
    count = min(folds, units, int(label.sum()), int((1 - label).sum()))
    if count < 2:
        raise DatasetError("folds need at least two patches of each class; add labelled patches")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return _numbers(splitter.split(label, label, unit), len(label))


def random_folds(label: NDArray[np.int_], folds: int, seed: int) -> NDArray[np.int_]:
    """Return the number of each patch's fold, shape (n,), counted from 0, drawn without regard to groups.

    ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; all folds have the same share of both, up to
    rounding. ``folds`` is the largest number of folds; there are fewer if there are fewer patches of the
    rarer class. ``seed`` draws the folds. Patches of one group fall into several folds, so that a model is
    tested on groups that it was trained on, and its measures are too high. Use these folds only to show this
    excess, never for a result. Raises ValueError if ``folds`` or the number of patches of the rarer class is
    below two.
    """
    count = min(folds, int(label.sum()), int((1 - label).sum()))
    return _numbers(StratifiedKFold(count, shuffle=True, random_state=seed).split(label, label), len(label))


def _numbers(split: Iterator[tuple[NDArray[np.int_], NDArray[np.int_]]], n: int) -> NDArray[np.int_]:
    fold = np.zeros(n, dtype=np.int_)
    for number, (_, test) in enumerate(split):
        fold[test] = number
    return fold


def out_of_fold(
    model: Any, rows: Any, label: NDArray[np.int_], fold: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Return the uncalibrated out-of-fold probability of class 1 for each row, shape (n,).

    For each fold a clone of the estimator ``model`` is fitted on the rows of all other folds. ``rows`` is a
    matrix (n, columns). ``label`` (n,) is 0 or 1, ``fold`` (n,) the number of each row's fold. Where the
    training rows are all of one class, the probability is that class, 0 or 1.
    """
    return across(lambda _number, _train: model, rows, label, fold)


def across(
    choose: Callable[[int, NDArray[np.bool_]], Any],
    rows: Any,
    label: NDArray[np.int_],
    fold: NDArray[np.int_],
) -> NDArray[np.float64]:
    """Return the uncalibrated out-of-fold probability of class 1 for each row, shape (n,).

    Unlike :func:`out_of_fold`, each fold has an estimator of its own. ``choose`` is called for each fold with
    the fold's number and a boolean mask (n,) that is True for the training rows; it returns an unfitted
    estimator. ``rows`` is a matrix (n, columns). ``label`` (n,) is 0 or 1, ``fold`` (n,) the number of each
    row's fold. Where the training rows are all of one class, the probability is that class, 0 or 1, and
    ``choose`` is not called.
    """
    score = np.empty(len(label))
    for number in np.unique(fold):
        inside = fold == number
        train = label[~inside]
        if train.min() == train.max():
            score[inside] = float(train[0])
            continue
        model = clone(choose(int(number), ~inside))
        score[inside] = model.fit(rows[~inside], train).predict_proba(rows[inside])[:, 1]
    return score
