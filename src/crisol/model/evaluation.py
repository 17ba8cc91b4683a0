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
from crisol.model.search import Choice, Taught, tuned
from crisol.model.variants import Recipe
from crisol.records import HEADLINE, LabelledPatch

__all__ = ["Evaluation", "Outer", "evaluate", "report", "transfer"]

_RANDOM_FOLDS = 5

Outer = Literal["group", "project", "cwe"]
"""The field by which the folds are made: patches with the same value of it share a fold."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A variant's predictions for n patches that it was not trained on, with measures of the predictions.

    The arrays have one element for each patch. ``probability`` is the calibrated probability of valid;
    ``label`` is 1 for a valid patch, 0 for an invalid one; ``group`` and ``origin`` are the fields ``group``
    and ``tool`` of the patch. Intervals are (low, high) at 95 %, by a bootstrap over units; both ends are nan
    for fewer than ten units. A unit is a set of patches that no fold splits: a group or, if the folds were
    made by another field, all patches of a project or CWE. A measure is nan where the data do not define it,
    such as an AUC of a single class.

    - ``groups``: the number of units.
    - ``headline_auc``, ``headline_interval``: the AUC on the patches by people and agents alone (origins
      ``hand`` and ``agent``), with its interval. All other measures count all patches.
    - ``accuracy``, ``mcc`` (Matthews' correlation coefficient) and ``confusion``: those of the rule that
      accepts a patch if its probability is at least 0.5.
    - ``majority_accuracy``: the accuracy of a model that always predicts the more frequent class.
    - ``brier``: the Brier score. ``calibration_error``: the expected calibration error over ten bins.
    - ``auc_inside_groups``: an AUC that compares only patches of the same group.
    - ``random_split_auc``: an AUC from folds that split groups. It is too high: its difference from ``auc``
      shows how much a model gains if it has seen the vulnerability.
    - ``same_group_mean_auc``: the AUC of a guess, the mean label of the other patches in a patch's group.
    - ``choices``: one entry for each search of hyper-parameters, in the order of the folds; empty if there
      was no search.
    """

    name: str
    n: int
    groups: int
    probability: NDArray[np.float64]
    label: NDArray[np.int_]
    group: NDArray[np.str_]
    origin: NDArray[np.str_]
    headline_auc: float
    """It is nan if no patch has one of these origins."""
    headline_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]
    """The 95 % interval by a bootstrap over the units by which the folds were made."""
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
        """The AUC that ranks variants: ``headline_auc``, or ``auc`` where ``headline_auc`` is nan."""
        return self.auc if np.isnan(self.headline_auc) else self.headline_auc

    def by_origin(self) -> dict[str, float]:
        """Return the AUC on the patches of each origin, by the name of the origin.

        An origin is left out if its patches are all valid or all invalid. If no patch has the origin
        ``agent`` or ``hand``, the whole dict is empty, even if there are other origins.
        """
        if not np.isin(self.origin, HEADLINE).any():
            return {}
        inside = {str(origin): self.origin == origin for origin in np.unique(self.origin)}
        values = {origin: scores.auc(self.label[at], self.probability[at]) for origin, at in inside.items()}
        return {origin: value for origin, value in values.items() if np.isfinite(value)}

    def summary(self) -> dict[str, float]:
        """Return the measures by name, as MLflow metrics; those that are nan are left out.

        An interval gives two entries, such as ``auc_low`` and ``auc_high``, and ``random_split_auc`` is named
        ``leaky_random_split_auc``. The counts ``n`` and ``groups``, the AUC of each origin (such as
        ``auc_hand``) and the four counts of ``confusion`` are also included.
        """
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
) -> Evaluation:
    """Measure a variant by cross-validation, and return its out-of-fold predictions with their measures.

    ``variant`` is a :class:`~crisol.model.variants.Variant`, or the caller's own estimator in a
    :class:`~crisol.model.variants.Given`. ``folds`` is the largest number of folds. Patches with the same
    value of the field ``outer`` (``group``, ``project`` or ``cwe``) stay in one fold. The same ``seed``
    gives the same folds, resamples and estimators. ``bootstrap`` is the number of resamples for each
    interval. The scores of a fold are calibrated on the scores of all other folds.

    With ``search``, hyper-parameters are chosen from the variant's grid for each fold, on the patches outside
    that fold. Without it, the variant's own hyper-parameters are used.

    Raises :class:`~crisol.errors.DatasetError` for fewer than two values of the field ``outer``, or fewer
    than two patches of a class.
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
            best, points = tuned(variant, taught, pipeline[0], seed=seed, fold=number)
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
    """Train and calibrate a variant on ``train``, and return its evaluation on ``test``.

    ``variant`` is a :class:`~crisol.model.variants.Variant`, or the caller's own estimator in a
    :class:`~crisol.model.variants.Given`. With ``search`` the hyper-parameters are chosen from the variant's
    grid on ``train``; otherwise the variant's own are used. ``bootstrap`` is the number of resamples for each
    interval. The same ``seed`` gives the same folds, resamples and estimator. Groups and diffs that both sets
    contain make the result too good: remove them before by :func:`crisol.model.dataset.without_overlap`.

    Raises :class:`~crisol.errors.DatasetError` unless ``train`` has at least two groups and two patches of
    each class, and ``test`` has both classes.
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
    """Return the evaluation of given predictions, under the name ``name``.

    ``probability`` (n,) is the probability of valid for each patch. ``unit`` (n,) names the unit of each
    patch, which the bootstrap resamples as a whole; None takes the group of each patch. ``bootstrap`` is the
    number of resamples, ``seed`` draws them. In the result ``random_split_auc`` is nan and ``choices`` is
    empty. Raises :class:`~crisol.errors.DatasetError` unless valid and invalid patches occur.
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
