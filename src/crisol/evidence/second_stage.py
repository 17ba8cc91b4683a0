"""The second stage, which predicts the verdict on a patch from the memory of its vulnerability.

Its model is gradient boosting over the columns :data:`~crisol.evidence.memory.COLUMNS` of memory rows. The
column ``cold`` has the log-odds of the cold probability. The model is trained on simulated streams of other
vulnerabilities.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from crisol.errors import ModelError, SettingsError
from crisol.evidence.memory import COLUMNS
from crisol.model.calibration import Sigmoid
from crisol.model.folds import grouped_folds
from crisol.model.policy import NEVER, Policy

__all__ = ["SecondStage", "across_groups", "train"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

_FORMAT = "crisol-second-stage-2"
_MOST_BYTES = 64 << 20
_ROUNDS = 200
_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.04,
    "num_leaves": 7,
    "min_data_in_leaf": 30,
    "lambda_l2": 5.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True, eq=False)
class SecondStage:
    """A calibrated LightGBM model that predicts the verdict on a patch from the memory of its vulnerability.

    ``trees`` compute a score from a memory row, ``calibration`` maps the score to a probability of valid.
    ``version`` contains a hash of the training data. ``policy`` has the thresholds at which the second stage
    decides without a wargame; by default it never does.
    """

    trees: lightgbm.Booster
    calibration: Sigmoid
    version: str
    policy: Policy = NEVER

    def probabilities(self, rows: _Floats) -> _Floats:
        """Return the probability of valid for each memory row, shape (n,).

        ``rows`` has shape (n, columns), with the columns of :data:`crisol.evidence.memory.COLUMNS`.
        """
        return self.calibration(_scores(self.trees, rows)) if len(rows) else np.empty(0)

    def probability(self, row: _Floats) -> float:
        """Return the probability of valid for one memory row, an array of shape (columns,)."""
        return self.calibration.one(float(_scores(self.trees, row[None])[0]))

    def save(self, path: Path) -> None:
        """Write the second stage to a JSON file, which :meth:`load` reads; the file contains no code.

        Raises OSError where the file cannot be written.
        """
        content = {
            "format": _FORMAT,
            "columns": COLUMNS,
            "slope": self.calibration.slope,
            "intercept": self.calibration.intercept,
            "version": self.version,
            "accept": self.policy.accept,
            "reject": self.policy.reject,
            "reason": self.policy.reason,
            "trees": self.trees.model_to_string(),
        }
        path.write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> SecondStage:
        """Return the second stage from a JSON file that :meth:`save` wrote.

        Raises :class:`~crisol.errors.ModelError` where the file is missing, damaged, or made for other
        columns of the memory row.
        """
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ModelError(f"{path}: more than {_MOST_BYTES} bytes; this is no second stage")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT or content["columns"] != list(COLUMNS):
                raise ModelError(f"{path}: learnt from other columns than this version reads; train it anew")
            trees = lightgbm.Booster(model_str=content["trees"])
            calibration = Sigmoid(float(content["slope"]), float(content["intercept"]))
            if trees.num_feature() != len(COLUMNS):
                raise ModelError(f"{path}: its trees read {trees.num_feature()} columns; train it anew")
            accept, reject = (_threshold(content[side]) for side in ("accept", "reject"))
            policy = Policy(accept, reject, str(content["reason"]))
            return cls(trees, calibration, str(content["version"]), policy)
        except (
            SettingsError,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            lightgbm.basic.LightGBMError,
        ) as error:
            raise ModelError(f"{path}: cannot be read as a second stage: {error}") from None


def train(rows: _Floats, label: _Ints, group: NDArray[np.str_], *, seed: int) -> SecondStage:
    """Train a second stage on memory rows, calibrate it on out-of-fold scores, and return it.

    ``rows`` (n, columns) are memory rows. ``label`` (n,) is 1 for a valid patch, 0 for an invalid one;
    ``group`` (n,) names the vulnerability of each row. There are up to five folds, and none splits a group.
    ``seed`` draws the folds and seeds the training. The policy of the result wargames every patch. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two groups, or fewer than two rows of a class.
    """
    fold = grouped_folds(label, group, 5, seed)
    score = np.empty(len(label))
    for number in np.unique(fold):
        inside = fold == number
        score[inside] = _scores(_fit(rows[~inside], label[~inside], seed), rows[inside])
    digest = hashlib.sha256(json.dumps([_PARAMETERS, seed, list(map(str, group))], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(rows).tobytes() + label.tobytes())
    version = f"second-stage-{digest.hexdigest()[:12]}"
    return SecondStage(_fit(rows, label, seed), Sigmoid.fit(score, label), version)


def across_groups(
    rows: _Floats, label: _Ints, group: NDArray[np.str_], fold: _Ints, *, seed: int
) -> dict[int, SecondStage]:
    """Return a dict from the number of each fold to a second stage, which predicts the rows of that fold.

    The stage is trained and calibrated by :func:`train` on the rows of all other folds alone. ``rows``
    (n, columns) are memory rows. ``label`` (n,) is 1 for a valid patch, 0 for an invalid one; ``group`` (n,)
    names the vulnerability of each row, ``fold`` (n,) is the number of its fold. ``seed`` seeds the training.
    Raises :class:`~crisol.errors.DatasetError` if the rows outside a fold are of fewer than two groups, or
    fewer than two of them are of a class.
    """
    return {
        int(number): train(rows[fold != number], label[fold != number], group[fold != number], seed=seed)
        for number in np.unique(fold)
    }


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, float) and 0.0 < value < 1.0:
        return value
    raise ValueError(f"a threshold is a probability within (0, 1), and not {value!r}")


def _fit(rows: _Floats, label: _Ints, seed: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(rows, label=label, feature_name=list(COLUMNS), params={"verbosity": -1})
    return lightgbm.train({**_PARAMETERS, "seed": seed}, data, num_boost_round=_ROUNDS)


def _scores(trees: lightgbm.Booster, rows: _Floats) -> _Floats:
    return np.asarray(trees.predict(rows, num_threads=1), dtype=np.float64)
