"""How good a variant is on vulnerabilities that it has never seen, with intervals and the baselines beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, matthews_corrcoef, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from crisol.errors import DatasetError
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = ["Evaluation", "calibrated", "evaluate", "folds_by_group"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One variant over one set of patches; ``probability`` is out of fold and aligned with the patches.

    ``auc_interval`` is a 95 % bootstrap over groups. ``leaky_auc`` comes from folds at random, which see other
    patches of the same bug: it measures the recognition of bugs, not of right patches.
    """

    name: str
    n: int
    groups: int
    probability: Floats
    auc: float
    auc_interval: tuple[float, float]
    average_precision: float
    accuracy: float
    majority: float
    mcc: float
    brier: float
    calibration_error: float
    auc_inside: float
    same_group_mean_auc: float
    leaky_auc: float
    confusion: tuple[int, int, int, int]
    """True positive, false positive, false negative, true negative, at 0.5."""

    def summary(self) -> dict[str, float]:
        """Return every figure under its name."""
        names = (
            "n", "groups", "auc", "average_precision", "accuracy", "majority", "mcc", "brier", "calibration_error",
            "auc_inside", "same_group_mean_auc", "leaky_auc",
        )  # fmt: skip
        low, high = self.auc_interval
        figures = {name: float(getattr(self, name)) for name in names}
        return figures | {"auc_low": low, "auc_high": high}


def evaluate(
    variant: Variant, patches: Sequence[LabelledPatch], *, seed: int, folds: int = 10, bootstrap: int = 500
) -> Evaluation:
    """Evaluate a variant by group: every patch is predicted by a model that saw no patch of its group.

    Raises :class:`~crisol.errors.DatasetError` where there are fewer than two groups or one class only.
    """
    truth = np.array([patch.label for patch in patches])
    groups = np.array([patch.group for patch in patches])
    if len(set(groups)) < 2 or len(set(truth)) < 2:
        raise DatasetError("an evaluation needs at least two groups and both classes")
    probability = _out_of_fold(
        variant, patches, truth, folds_by_group(groups, folds, seed), groups, seed=seed
    )
    shuffled = StratifiedKFold(min(folds, int(np.bincount(truth).min())), shuffle=True, random_state=seed)
    random = _out_of_fold(variant, patches, truth, shuffled.split(truth, truth), None, seed=seed)
    predicted = probability >= 0.5
    share = float(truth.mean())
    cells = [int(((predicted == p) & (truth == t)).sum()) for p, t in ((1, 1), (1, 0), (0, 1), (0, 0))]
    return Evaluation(
        name=variant.name,
        n=len(truth),
        groups=len(set(groups)),
        probability=probability,
        auc=float(roc_auc_score(truth, probability)),
        auc_interval=_interval(truth, probability, groups, bootstrap, seed),
        average_precision=float(average_precision_score(truth, probability)),
        accuracy=float((predicted == truth).mean()),
        majority=max(share, 1.0 - share),
        mcc=float(matthews_corrcoef(truth, predicted)),
        brier=float(brier_score_loss(truth, probability)),
        calibration_error=_calibration_error(truth, probability),
        auc_inside=_inside(truth, probability, groups),
        same_group_mean_auc=_same_group_mean(truth, groups),
        leaky_auc=float(roc_auc_score(truth, random)),
        confusion=(cells[0], cells[1], cells[2], cells[3]),
    )


def folds_by_group(groups: NDArray[Any], folds: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield training and test indices; whole groups go to one side, shuffled by the seed, sizes balanced."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros(min(folds, len(names)), dtype=int)
    fold_of = {}
    for at in order:
        lightest = int(load.argmin())
        fold_of[names[at]] = lightest
        load[lightest] += sizes[at]
    assigned = np.array([fold_of[group] for group in groups])
    for fold in range(len(load)):
        yield np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)


def calibrated(truth: Ints, raw: Floats) -> tuple[float, float]:
    """Fit Platt's sigmoid with his targets; returns slope and intercept over the log-odds of ``raw``."""
    from scipy.optimize import minimize  # noqa: PLC0415 - a second of import that only training needs

    positive, negative = int(truth.sum()), int(len(truth) - truth.sum())
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    odds = log_odds(raw)

    def loss(parameters: Floats) -> float:
        z = parameters[0] * odds + parameters[1]
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.0, 10.0), (-10.0, 10.0)])
    return float(found.x[0]), float(found.x[1])


def log_odds(probability: Floats) -> Floats:
    """Return the log-odds, bounded away from certainty."""
    clipped = np.clip(probability, 1e-3, 1.0 - 1e-3)
    return np.asarray(np.log(clipped / (1.0 - clipped)), dtype=np.float64)


def _out_of_fold(
    variant: Variant,
    patches: Sequence[LabelledPatch],
    truth: Ints,
    splits: Iterator[tuple[Ints, Ints]],
    groups: NDArray[Any] | None,
    *,
    seed: int,
) -> Floats:
    """Predict each fold by a model of the others, calibrated on folds inside the training part."""
    out = np.zeros(len(truth))
    for train, test in splits:
        raw = _fitted(variant, patches, truth, train, seed).predict_proba([patches[at] for at in test])[:, 1]
        if groups is not None and len(set(groups[train])) >= 3 and len(set(truth[train])) == 2:
            inner = np.zeros(len(train))
            for fit, held in folds_by_group(groups[train], 3, seed):
                model = _fitted(variant, patches, truth, train[fit], seed)
                inner[held] = model.predict_proba([patches[at] for at in train[held]])[:, 1]
            slope, intercept = calibrated(truth[train], inner)
            raw = 1.0 / (1.0 + np.exp(-(slope * log_odds(raw) + intercept)))
        out[test] = raw
    return out


def _fitted(variant: Variant, patches: Sequence[LabelledPatch], truth: Ints, rows: Ints, seed: int) -> Any:
    return variant.estimator(seed).fit([patches[at] for at in rows], truth[rows])


def _interval(
    truth: Ints, score: Floats, groups: NDArray[Any], repeats: int, seed: int
) -> tuple[float, float]:
    """Bootstrap over groups, since patches of one bug are not independent."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    rows = [np.flatnonzero(groups == name) for name in names]
    found = []
    for _ in range(repeats):
        drawn = np.concatenate([rows[at] for at in rng.integers(len(rows), size=len(rows))])
        if 0 < truth[drawn].sum() < len(drawn):
            found.append(roc_auc_score(truth[drawn], score[drawn]))
    low, high = np.quantile(found, [0.025, 0.975]) if found else (0.0, 1.0)
    return float(low), float(high)


def _inside(truth: Ints, score: Floats, groups: NDArray[Any]) -> float:
    """Mean AUC inside the groups that have both classes, weighted by their pairs."""
    pairs, weighted = 0.0, 0.0
    for name in np.unique(groups):
        rows = groups == name
        positive = int(truth[rows].sum())
        weight = positive * (int(rows.sum()) - positive)
        if weight:
            pairs += weight
            weighted += weight * float(roc_auc_score(truth[rows], score[rows]))
    return weighted / pairs if pairs else float("nan")


def _same_group_mean(truth: Ints, groups: NDArray[Any]) -> float:
    """AUC of the mean label of the group's other patches: what knowing the bug alone would give."""
    score = np.zeros(len(truth))
    for name in np.unique(groups):
        rows = np.flatnonzero(groups == name)
        others = len(rows) - 1
        score[rows] = (truth[rows].sum() - truth[rows]) / others if others else truth.mean()
    return float(roc_auc_score(truth, score))


def _calibration_error(truth: Ints, probability: Floats, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(float(truth[which == b].mean() - probability[which == b].mean())) * float((which == b).mean())
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))
