"""The controls of an evaluation: guesses that ignore what a patch does.

``controls(patches, seed=0)`` returns three evaluations (:class:`~crisol.model.evaluation.Evaluation`): those
of *style alone*, *origin alone* and *majority*. They use the same folds as the evaluation of a model with the
same seed. If the AUC of a control is far from 0.5, the verdicts on these patches can be guessed without
reading the fix: compare the AUC of a model with that of the control.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from crisol.diff import Patch
from crisol.model.evaluation import Evaluation, Outer, report
from crisol.model.features import index, measure
from crisol.model.folds import grouped_folds, labels, out_of_fold
from crisol.model.naming import naming
from crisol.model.reading import open_diff, read
from crisol.records import LabelledPatch

__all__ = ["CONTROLS", "STYLE", "TEXTS", "controls", "controls_across"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

CONTROLS = ("style alone", "origin alone", "majority")

STYLE = (
    "line_length",
    "indent_added",
    "context_lines",
    "quotes_net",
    "tokens_added",
)
"""Features that say how a patch is written rather than what it does."""

TEXTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"#.*[A-Za-z]{3}",
        r'^\s*(?:"""|\'\'\')',
        r"\bif (?:True|False)\b|\b(?:and|or) (?:True|False)\b|^\s*pass\b",
        r"\bbool\(|\(not \(|\bnot \(|^\s*\(.*\)\s*$",
        r"^\s*(?:result|outcome|answer|error|failure|ret) = ",
    )
)
"""Signs of a mutant's operator in a changed line: comments, docstrings, constant or wrapped conditions, named
results."""


def controls(
    patches: Sequence[LabelledPatch],
    *,
    seed: int,
    folds: int = 10,
    outer: Outer = "group",
    bootstrap: int = 500,
) -> tuple[Evaluation, ...]:
    """Return the evaluations of three guesses that ignore what a patch does: style, origin and majority.

    The first, ``style alone``, is a logistic regression over comments, size, layout and names. The second,
    ``origin alone``, predicts the mean label that patches of the same origin have in the other folds. The
    third, ``majority``, predicts the mean label of all patches. A model that is no better than these guesses
    has learnt nothing about patches.

    ``folds`` is the largest number of folds. Patches with the same value of the field ``outer`` (``group``,
    ``project`` or ``cwe``) stay in one fold. ``seed`` draws folds and resamples. ``bootstrap`` is the number
    of resamples for each interval. Raises :class:`~crisol.errors.DatasetError` for fewer than two values of
    ``outer``, or fewer than two patches of a class.
    """
    label = labels(patches)
    unit = np.array([getattr(patch, outer) for patch in patches])
    fold = grouped_folds(label, unit, folds, seed)
    tool = np.array([patch.tool for patch in patches])
    guesses = (
        out_of_fold(_guesser(), _styles(patches), label, fold),
        _elsewhere(label, tool, fold),
        np.full(len(label), label.mean()),
    )
    return tuple(
        report(name, patches, guess, unit=unit, bootstrap=bootstrap, seed=seed)
        for name, guess in zip(CONTROLS, guesses, strict=True)
    )


def controls_across(
    train: Sequence[LabelledPatch], test: Sequence[LabelledPatch], *, seed: int, bootstrap: int = 500
) -> tuple[Evaluation, ...]:
    """Return the evaluations, on ``test``, of two guesses trained on ``train``: style, then majority.

    ``style alone`` is a logistic regression over comments, size, layout and names; ``majority`` predicts the
    mean label of ``train``. ``bootstrap`` is the number of resamples for each interval, ``seed`` draws them.
    Raises :class:`~crisol.errors.DatasetError` unless each set contains valid and invalid patches.
    """
    label = labels(train)
    style = _guesser().fit(_styles(train), label).predict_proba(_styles(test))[:, 1]
    majority = np.full(len(test), label.mean())
    return tuple(
        report(name, test, guess, bootstrap=bootstrap, seed=seed)
        for name, guess in (("style alone", style), ("majority", majority))
    )


def _guesser() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _styles(patches: Sequence[LabelledPatch]) -> _Floats:
    style = np.array([_style(patch) for patch in patches])
    return np.asarray(np.sign(style) * np.log1p(np.abs(style)), dtype=np.float64)


def _style(patch: LabelledPatch) -> list[float]:
    opened = open_diff(patch.diff)
    reading = read(opened, patch.cwe)
    values = measure(reading)
    # Features leave out comments and the like, which no program runs; they still reveal the author.
    idle = (len(opened.added) - reading.added.lines, len(opened.removed) - reading.removed.lines)
    return [
        *(values[index(name)] for name in STYLE),
        *idle,
        *(count / max(len(opened.added), 1) for count in idle),
        *_size(opened),
        *_texts(opened),
        *naming(reading),
    ]


def _size(opened: Patch) -> tuple[float, ...]:
    hunks = sum(len(change.hunks) for change in opened.files)
    return float(len(opened.added)), float(len(opened.removed)), float(len(opened.files)), float(hunks)


def _texts(opened: Patch) -> list[float]:
    sides = (opened.added, opened.removed)
    return [float(sum(bool(text.search(line)) for line in side)) for side in sides for text in TEXTS]


def _elsewhere(label: _Ints, key: NDArray[np.str_], fold: _Ints) -> _Floats:
    """Return for each patch the mean label of the patches with the same key in the other folds.

    The mean of all labels in these folds counts as one more patch, so the result for a rare key is near it.
    """
    _, code = np.unique(key, return_inverse=True)
    out = np.empty(len(label))
    for number in np.unique(fold):
        inside = fold == number
        size = np.bincount(code[~inside], minlength=int(code.max()) + 1)
        right = np.bincount(code[~inside], weights=label[~inside], minlength=len(size))
        share = label[~inside].mean()
        out[inside] = ((right + share) / (size + 1))[code[inside]]
    return out
