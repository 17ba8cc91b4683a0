"""Has an arm become worse, or its patches other ones? Watches over the trials of one arm, in their order.

The first part of the trials is the reference: it says how often the model errs while it is well, and which
probabilities it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crisol.abtest.confusion import proportion
from crisol.abtest.drift import Alarm, calibration_drift, input_drift, worsening
from crisol.abtest.tally import Tally
from crisol.errors import ExperimentError
from crisol.model.intervals import wilson
from crisol.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisol.records import Trial

__all__ = ["RUN_LENGTH", "Watched", "predicted_drift", "watch"]

RUN_LENGTH = 1000.0
"""Trials between false alarms, at least and on average."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch over one arm: its alarm, counted from the trial ``known + 1`` on, and the patch that raised it."""

    arm: str
    name: str
    known: int
    alarm: Alarm
    raised_on: str | None

    @property
    def raised_at(self) -> int | None:
        """The number of the trial, from 1, at which the alarm was raised."""
        return _number(self.alarm.raised_at, self.known)

    @property
    def began_at(self) -> int | None:
        """The number of the trial at which the change is estimated to have begun."""
        return _number(self.alarm.began_at, self.known)


def watch(
    arm: str, trials: Sequence[Trial], *, max_weight: float | None = None, reference: float = 0.25
) -> tuple[Watched, ...]:
    """Watch the errors and the calibration of an arm; the share ``reference`` of its trials says how it is when well.

    ``max_weight`` is the largest weight that the design can give. Inconclusive trials are left out. Raises
    :class:`~crisol.errors.ExperimentError` for fewer than two conclusive trials or a reference outside (0, 1).
    """
    if not 0.0 < reference < 1.0:
        raise ExperimentError(f"reference is {reference}, not within (0, 1)")
    told = [trial for trial in trials if trial.correct is not None]
    if len(told) < 2:
        raise ExperimentError(f"arm {arm!r} has {len(told)} conclusive trials; a watch needs two at least")
    known = min(max(1, round(len(told) * reference)), len(told) - 1)
    before = sum((Tally.of(trial) for trial in told[:known]), Tally())
    wrong = proportion([before.fp, before.fn], [before.tp, before.tn])
    seen = told[known:]
    alarms = {
        "errors": worsening(
            [float(not trial.correct) for trial in seen],
            min(max(wrong.high, 0.001), 0.999),
            [1.0 / trial.sampling_probability for trial in seen],
            max_weight=max_weight,
            run_length=RUN_LENGTH,
        ),
        "calibration": calibration_drift(
            [trial.probability for trial in seen],
            [float(trial.outcome is Outcome.VALID) for trial in seen],
            tolerated=_overconfidence(told[:known]),
            run_length=RUN_LENGTH,
        ),
    }
    return tuple(
        Watched(arm, name, known, alarm, None if alarm.raised_at is None else seen[alarm.raised_at].patch)
        for name, alarm in alarms.items()
    )


def _overconfidence(trials: Sequence[Trial]) -> float:
    """Return by how much these trials' confidence may exceed their accuracy, at its lower bound; nobody's is perfect.

    They are counted alike, as the trials are that the watch sees next.
    """
    _, wrong = wilson(sum(not trial.correct for trial in trials) / len(trials), len(trials), 0.95)
    confidence = sum(trial.confidence for trial in trials) / len(trials)
    return min(max(confidence - (1.0 - wrong), 0.0), 0.49)


def predicted_drift(trials: Sequence[Trial], reference: float = 0.25) -> pd.DataFrame:
    """Compare what the model predicted in the first share of its trials with the rest, see :func:`~crisol.abtest.drift.input_drift`.

    Its rows are ``probability`` and ``confidence``: whatever changes about the patches and matters to the model shows
    there. A row is ``drifted`` when the change is large (PSI from 0.25) and no chance (adjusted p below 0.001). Every
    trial counts, the inconclusive ones too.
    """
    known = max(1, round(len(trials) * reference))
    table = pd.DataFrame(
        {
            "probability": np.array([trial.probability for trial in trials]),
            "confidence": np.array([trial.confidence for trial in trials]),
        }
    )
    found = input_drift(table.iloc[:known], table.iloc[known:])
    return found.assign(drifted=(found["psi"] >= 0.25) & (found["adjusted_p_value"] < 0.001))


def _number(index: int | None, known: int) -> int | None:
    return None if index is None else known + index + 1
