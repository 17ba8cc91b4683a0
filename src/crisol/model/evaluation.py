"""Measure a variant on vulnerabilities that it was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from crisol.model import scores
from crisol.model.calibration import Sigmoid, cross_fitted
from crisol.model.folds import across, grouped_folds, labels, out_of_fold, random_folds
from crisol.model.scores import Confusion
from crisol.model.search import Choice, Memo, Taught, tuned
from crisol.model.variants import Recipe
from crisol.records import HEADLINE, LabelledPatch

__all__ = ["Evaluation", "Outer", "evaluate", "report", "transfer"]

_RANDOM_FOLDS = 5

Outer = Literal["group", "project", "cwe"]
"""By what the folds are made: a model that is tested on one of them was never trained on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The out-of-fold predictions of a variant, and measures of them; nan where the data give no value.

    ``n`` counts patches, ``groups`` the units that no fold splits (see ``outer`` in :func:`evaluate`).
    ``probability`` (n,) is the calibrated probability of valid, ``label`` (n,) is 1 for valid.
    ``headline_auc`` and ``headline_interval`` cover the patches of people and agents
    (:data:`~crisol.records.HEADLINE`), all other measures all patches. Intervals are (low, high) at 95 %, by
    a bootstrap of units.

    ``majority_accuracy`` is the accuracy of always predicting the more frequent class. ``auc_inside_groups``
    only compares patches of one vulnerability. ``random_split_auc`` is too high on purpose: its folds split
    vulnerabilities. ``same_group_mean_auc`` is the AUC of the mean label of the other patches in a group.
    ``choices`` are the hyper-parameters that each fold chose, empty without a search.
    """

    name: str
    n: int
    groups: int
    probability: NDArray[np.float64]
    label: NDArray[np.int_]
    group: NDArray[np.str_]
    origin: NDArray[np.str_]
    headline_auc: float
    """nan where no patch is of such an origin, as in a set of tools' patches."""
    headline_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]
    """95 %, bootstrap over the units by which the folds were made."""
    average_precision: float
    accuracy: float
    majority_accuracy: float
    mcc: float
    brier: float
    calibration_error: float
    """Expected calibration error over ten bins of equal width."""
    auc_inside_groups: float
    random_split_auc: float
    same_group_mean_auc: float
    confusion: Confusion
    choices: tuple[Choice, ...] = ()

    @property
    def rank(self) -> float:
        """The figure by which variants are ranked: ``headline_auc`` or, where it is nan, ``auc``."""
        return self.auc if np.isnan(self.headline_auc) else self.headline_auc

    def by_origin(self) -> dict[str, float]:
        """Return the AUC of each origin that has patches of both classes, by the origin's name.

        The dict is empty for a set without any patch of an origin in :data:`~crisol.records.HEADLINE`.
        """
        if not np.isin(self.origin, HEADLINE).any():
            return {}
        inside = {str(origin): self.origin == origin for origin in np.unique(self.origin)}
        values = {origin: scores.auc(self.label[at], self.probability[at]) for origin, at in inside.items()}
        return {origin: value for origin, value in values.items() if np.isfinite(value)}

    def summary(self) -> dict[str, float]:
        """Return every finite measure by name, for MLflow; measures that are nan are left out."""
        values: dict[str, float] = {
            "headline_auc": self.headline_auc,
            "headline_low": self.headline_interval[0],
            "headline_high": self.headline_interval[1],
            "auc": self.auc,
            "auc_low": self.auc_interval[0],
            "auc_high": self.auc_interval[1],
            "leaky_random_split_auc": self.random_split_auc,
        }
        for name in (
            "average_precision",
            "accuracy",
            "majority_accuracy",
            "mcc",
            "brier",
            "calibration_error",
            "auc_inside_groups",
            "same_group_mean_auc",
        ):
            values[name] = getattr(self, name)
        # MLflow's plots begin with the first measure of a run, and sizes are the same in all.
        values |= {"n": float(self.n), "groups": float(self.groups)}
        values |= {f"auc_{origin}": value for origin, value in self.by_origin().items()}
        values |= {name: float(count) for name, count in self.confusion._asdict().items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}


def evaluate(
    variant: Recipe,
    patches: Sequence[LabelledPatch],
    *,
    seed: int,
    folds: int = 10,
    bootstrap: int = 500,
    outer: Outer = "group",
    search: bool = True,
    memo: Memo | None = None,
) -> Evaluation:
    """Measure a variant by cross-validation, and return its out-of-fold predictions with their measures.

    ``variant`` is a :class:`~crisol.model.variants.Variant` or a :class:`~crisol.model.variants.Given`
    estimator. No fold splits the patches with one value of the field ``outer``: ``group``, ``project`` or
    ``cwe``. With ``search`` each fold chooses hyper-parameters on its training set
    (:mod:`crisol.model.search`); otherwise, and in the random split, those of the variant are used. The
    scores of a fold are calibrated on the scores of the other folds. ``bootstrap`` is the number of resamples
    for each interval.

    ``memo`` stores searches: pass one dict, empty at the start, for several variants of the same patches,
    folds and seed, and members that they share are searched once. None stores nothing. Raises
    :class:`~crisol.errors.DatasetError` unless there are two groups and both classes.
    """
    label = labels(patches)
    unit = np.array([getattr(patch, outer) for patch in patches])
    pipeline = variant.estimator(seed)
    with threadpool_limits(1):
        rows = pipeline[0].transform(patches)
        fold = grouped_folds(label, unit, folds, seed)
        choices: list[Choice] = []

        def choose(number: int, train: NDArray[np.bool_]) -> Any:
            if not search:
                return pipeline[1]
            taught = Taught(rows[train], label[train], unit[train])
            best, points = tuned(variant, taught, pipeline[0], seed=seed, fold=number, memo=memo)
            choices.extend(points)
            return best.classifier(pipeline[0], seed)

        probability = cross_fitted(across(choose, rows, label, fold), label, fold)
        random = out_of_fold(pipeline[1], rows, label, random_folds(label, _RANDOM_FOLDS, seed))
    result = report(variant.name, patches, probability, unit=unit, bootstrap=bootstrap, seed=seed)
    return dataclasses.replace(result, random_split_auc=scores.auc(label, random), choices=tuple(choices))


def transfer(
    variant: Recipe,
    train: Sequence[LabelledPatch],
    test: Sequence[LabelledPatch],
    *,
    seed: int,
    bootstrap: int = 500,
    search: bool = True,
) -> Evaluation:
    """Train and calibrate a variant on ``train``, and return its measures on ``test``.

    ``variant`` is a :class:`~crisol.model.variants.Variant` or a :class:`~crisol.model.variants.Given`
    estimator. With ``search``, hyper-parameters are chosen on ``train``; otherwise those of the variant are
    used. ``bootstrap`` is the number of resamples for each interval. Before the call, remove groups and diffs
    that both sets contain, by :func:`crisol.model.dataset.without_overlap`. Raises
    :class:`~crisol.errors.DatasetError` unless each set has both classes and ``train`` two groups.
    """
    label = labels(train)
    matrix = variant.estimator(seed)[0]
    choices: tuple[Choice, ...] = ()
    with threadpool_limits(1):
        taught = Taught(matrix.transform(train), label, np.array([patch.group for patch in train]))
        if search:
            variant, choices = tuned(variant, taught, matrix, seed=seed)
        model = variant.classifier(matrix, seed)
        fold = grouped_folds(label, taught.unit, _RANDOM_FOLDS, seed)
        calibration = Sigmoid.fit(out_of_fold(model, taught.rows, label, fold), label)
        score = model.fit(taught.rows, label).predict_proba(matrix.transform(test))[:, 1]
    result = report(variant.name, test, calibration(score), bootstrap=bootstrap, seed=seed)
    return dataclasses.replace(result, choices=choices)


def report(
    name: str,
    patches: Sequence[LabelledPatch],
    probability: NDArray[np.float64],
    *,
    unit: NDArray[np.str_] | None = None,
    bootstrap: int = 500,
    seed: int = 0,
) -> Evaluation:
    """Return the measures of given probabilities of valid (n,), as an evaluation named ``name``.

    ``unit`` (n,) names the unit of each patch; the bootstrap resamples whole units. None takes the groups of
    the patches. ``bootstrap`` is the number of resamples. ``random_split_auc`` is nan. Raises
    :class:`~crisol.errors.DatasetError` unless both classes occur.
    """
    label = labels(patches)
    group = np.array([patch.group for patch in patches])
    origin = np.array([patch.tool for patch in patches])
    unit = group if unit is None else unit
    cells = scores.confusion(label, probability)
    share = float(label.mean())
    first = np.isin(origin, HEADLINE)
    return Evaluation(
        name=name,
        n=len(label),
        groups=len(np.unique(unit)),
        probability=probability,
        label=label,
        group=group,
        origin=origin,
        headline_auc=scores.auc(label[first], probability[first]),
        headline_interval=scores.auc_interval(
            label[first], probability[first], unit[first], repeats=bootstrap, seed=seed
        ),
        auc=scores.auc(label, probability),
        auc_interval=scores.auc_interval(label, probability, unit, repeats=bootstrap, seed=seed),
        average_precision=scores.average_precision(label, probability),
        accuracy=(cells.true_accepts + cells.true_rejects) / len(label),
        majority_accuracy=max(share, 1 - share),
        mcc=cells.mcc,
        brier=float(((probability - label) ** 2).mean()),
        calibration_error=scores.calibration_error(label, probability),
        auc_inside_groups=scores.auc_inside_groups(label, probability, group),
        random_split_auc=float("nan"),
        same_group_mean_auc=scores.auc(label, scores.same_group_mean(label, group)),
        confusion=cells,
    )
