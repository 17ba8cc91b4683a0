"""Detect from an arm's trials, ordered by time, that the arm became worse or that its patches changed.

The first part of the trials is the reference: it gives the usual error rate and the usual distribution of
the predicted probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crisol.abtest.confusion import proportion
from crisol.abtest.drift import Alarm, calibration_drift, input_drift, worsening
from crisol.abtest.tally import Tally
from crisol.errors import ExperimentError
from crisol.model.intervals import wilson
from crisol.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from crisol.records import Trial

__all__ = ["LEAST_TRIALS", "RUN_LENGTH", "Watched", "predicted_drift", "watch"]

RUN_LENGTH = 1000.0
"""The least mean number of trials between two false alarms."""

LEAST_TRIALS = 2
"""The least number of conclusive trials of an arm for :func:`watch`: one as the reference, one to test."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of a drift detector over the trials of one arm or of one rung.

    ``arm`` is the name of the arm or rung. ``name`` is the name of the detector: ``errors`` or
    ``calibration`` from :func:`watch`, ``false accepts`` or ``false refusals`` from
    :func:`~crisol.abtest.rungs.watch_rungs`. The first ``baseline`` conclusive trials are the reference; the
    detector tests the later ones. ``alarm`` is the detector's result, in which index 0 means the first tested
    trial. ``raised_on`` is the identity of the patch at which the alarm was raised, None without an alarm.
    """

    arm: str
    name: str
    baseline: int
    alarm: Alarm
    raised_on: str | None

    @property
    def raised_at(self) -> int | None:
        """The number of the conclusive trial, from 1, at which the alarm was raised; None if none was."""
        return _number(self.alarm.raised_at, self.baseline)

    @property
    def began_at(self) -> int | None:
        """The number of the conclusive trial, from 1, at which the drift is estimated to have begun.

        None if no alarm was raised.
        """
        return _number(self.alarm.began_at, self.baseline)


def watch(
    arm: str, trials: Sequence[Trial], *, max_weight: float | None = None, reference: float = 0.25
) -> tuple[Watched, ...]:
    """Detect whether an arm makes more errors than before, or is no longer calibrated.

    ``arm`` is the name of the arm; ``trials`` are its trials, in the order of time. The first part of the
    conclusive trials gives the usual error rate and calibration, with which the rest is compared.
    ``reference``, in (0, 1), is the size of that part, as a share of the conclusive trials. Returns two
    results: ``errors`` (:func:`~crisol.abtest.drift.worsening`) and ``calibration``
    (:func:`~crisol.abtest.drift.calibration_drift`). ``max_weight`` is the largest possible weight of a
    trial, 1 / rate; None means the largest in ``trials``. Raises :class:`~crisol.errors.ExperimentError` for
    fewer than :data:`LEAST_TRIALS` conclusive trials or a ``reference`` out of range.
    """
    conclusive = [trial for trial in trials if trial.correct is not None]
    baseline = _baseline_size(reference, len(conclusive))
    if len(conclusive) < LEAST_TRIALS:
        raise ExperimentError(
            f"arm {arm!r} has {len(conclusive)} conclusive trials; a watch needs {LEAST_TRIALS} at least"
        )
    before = sum((Tally.of(trial) for trial in conclusive[:baseline]), Tally())
    wrong = proportion([before.fp, before.fn], [before.tp, before.tn])
    watched = conclusive[baseline:]
    alarms = {
        "errors": worsening(
            [float(not trial.correct) for trial in watched],
            min(max(wrong.high, 0.001), 0.999),
            [1.0 / trial.sampling_probability for trial in watched],
            max_weight=max_weight,
            run_length=RUN_LENGTH,
        ),
        "calibration": calibration_drift(
            [trial.probability for trial in watched],
            [float(trial.outcome is Outcome.VALID) for trial in watched],
            tolerated=_overconfidence(conclusive[:baseline]),
            run_length=RUN_LENGTH,
        ),
    }
    return tuple(
        Watched(
            arm, name, baseline, alarm, None if alarm.raised_at is None else watched[alarm.raised_at].patch
        )
        for name, alarm in alarms.items()
    )


def _overconfidence(trials: Sequence[Trial]) -> float:
    # Not weighted, like calibration_drift, which tolerates this overconfidence.
    _, wrong = wilson(sum(not trial.correct for trial in trials) / len(trials), len(trials), 0.95)
    confidence = sum(trial.confidence for trial in trials) / len(trials)
    return min(max(confidence - (1.0 - wrong), 0.0), 0.49)


def predicted_drift(trials: Sequence[Trial], reference: float = 0.25) -> pd.DataFrame:
    """Compare the predictions in the first part of the trials with those in the rest.

    ``trials`` are in the order of time; inconclusive trials are used, too. ``reference``, in (0, 1), is the
    size of the first part, as a share of the trials. Returns a table with the rows probability and
    confidence. Its columns are feature (one of these names), psi (population stability index), ks (statistic
    of the Kolmogorov-Smirnov test), p_value (of that test), adjusted_p_value (by Holm's method), and drifted:
    whether psi is at least 0.25 and adjusted_p_value below 0.001. Raises
    :class:`~crisol.errors.ExperimentError` for a ``reference`` out of range, and
    :class:`~crisol.errors.InputError` for fewer than two trials.
    """
    import pandas as pd  # noqa: PLC0415 - the service watches rungs, and does without it

    baseline = _baseline_size(reference, len(trials))
    table = pd.DataFrame(
        {
            "probability": np.array([trial.probability for trial in trials]),
            "confidence": np.array([trial.confidence for trial in trials]),
        }
    )
    drift = input_drift(table.iloc[:baseline], table.iloc[baseline:])
    return drift.assign(drifted=(drift["psi"] >= 0.25) & (drift["adjusted_p_value"] < 0.001))


def _baseline_size(reference: float, count: int) -> int:
    if not 0.0 < reference < 1.0:
        raise ExperimentError(f"reference is {reference}, not within (0, 1)")
    return max(0, min(max(1, round(count * reference)), count - 1))


def _number(index: int | None, baseline: int) -> int | None:
    return None if index is None else baseline + index + 1
