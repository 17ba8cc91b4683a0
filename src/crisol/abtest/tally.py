"""Weighted confusion matrices of trials: the sums from which every metric is computed.

Each of the four cells of a confusion matrix holds a count, the sum of the weights and the sum of the squared
weights. Every ratio of cells and its linearised variance follow from these twelve numbers. A database
therefore sends at most five rows for each group of trials: one for each cell, and one for the inconclusive
trials.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from crisol.records import Outcome

if TYPE_CHECKING:
    from crisol.records import Trial

__all__ = ["BANDS", "BAND_EDGES", "Cell", "Slice", "Tally", "band_of"]


class Slice(StrEnum):
    """A property by which trials are grouped: experiment, arm, model_version, cwe, band, rung, hour or day.

    A band is an interval of the model's confidence, 0.1 wide. Hours and days are in UTC.
    """

    EXPERIMENT = "experiment"
    ARM = "arm"
    MODEL = "model_version"
    CWE = "cwe"
    BAND = "band"
    RUNG = "rung"
    HOUR = "hour"
    DAY = "day"

    def of(self, trial: Trial) -> str:
        """Return the value that this property has in a trial, as text.

        Examples are ``0.9-1.0`` for a band, ``2026-01-31T14:00Z`` for an hour and ``2026-01-31`` for a day.
        An unknown cwe or rung is "".
        """
        if self is Slice.BAND:
            return band_of(trial.confidence)
        if self is Slice.HOUR:
            return trial.created_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:00Z")
        if self is Slice.DAY:
            return trial.created_at.astimezone(dt.UTC).strftime("%Y-%m-%d")
        return str(getattr(trial, self.value))


BANDS = ("0.5-0.6", "0.6-0.7", "0.7-0.8", "0.8-0.9", "0.9-1.0")
"""The bands of confidence; a band holds its lower edge, the last one both."""

BAND_EDGES = (0.6, 0.7, 0.8, 0.9)


def band_of(confidence: float) -> str:
    """Return the interval, 0.1 wide, that contains a confidence from 0.5 to 1, such as ``0.9-1.0``.

    An interval contains its lower bound; ``0.9-1.0`` contains both bounds.
    """
    return BANDS[sum(confidence >= edge for edge in BAND_EDGES)]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a weighted confusion matrix: the number of its trials, and sums of their weights.

    ``n`` is the number of trials. The weight of a trial is 1 / sampling probability; ``weight`` is the sum of
    the weights, ``weight_squared`` the sum of their squares.
    """

    n: int = 0
    weight: float = 0.0
    weight_squared: float = 0.0

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.n + other.n, self.weight + other.weight, self.weight_squared + other.weight_squared)


@dataclass(frozen=True, slots=True)
class Tally:
    """The weighted confusion matrix of a group of trials; the positive class is valid.

    ``tp`` holds the trials that were predicted valid and are valid, ``fp`` those that were predicted valid
    and are invalid (the false accepts). ``fn`` holds the trials that were predicted invalid and are valid,
    ``tn`` those that were predicted invalid and are invalid. ``inconclusive`` counts the trials whose wargame
    was inconclusive; they are in no cell.
    """

    tp: Cell = Cell()
    fp: Cell = Cell()
    fn: Cell = Cell()
    tn: Cell = Cell()
    inconclusive: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.tn + other.tn,
            self.inconclusive + other.inconclusive,
        )

    @property
    def n(self) -> int:
        """The number of conclusive trials, without weights."""
        return self.tp.n + self.fp.n + self.fn.n + self.tn.n

    @classmethod
    def of(cls, trial: Trial, *, answered: bool = False) -> Self:
        """Return the tally of a single trial, by the model's prediction and the verdict.

        With ``answered`` the service's answer to the caller replaces the prediction, unless the trial's
        ``decided`` is None. An inconclusive trial is in no cell, only in ``inconclusive``.
        """
        if trial.outcome is Outcome.INCONCLUSIVE:
            return cls(inconclusive=1)
        weight = 1.0 / trial.sampling_probability
        cell = Cell(1, weight, weight * weight)
        positive = trial.answered_valid if answered else trial.predicted_valid
        if trial.outcome is Outcome.VALID:
            return cls(tp=cell) if positive else cls(fn=cell)
        return cls(fp=cell) if positive else cls(tn=cell)
