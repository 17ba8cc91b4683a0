"""The tables of an A/B experiment, for the notebook, MLflow and the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from crisol.abtest.compare import compare, pair
from crisol.abtest.confusion import METRICS, metrics
from crisol.abtest.results import arms_of, trajectory
from crisol.abtest.tally import Cell, Tally
from crisol.abtest.watch import Watched, watch
from crisol.lab.disagreements import disagreements
from crisol.records import Trial

__all__ = ["ExperimentResult", "summed", "without_intervals"]

_STEPS = 50


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The tables of an A/B experiment; :func:`summed` makes them.

    Estimates are weighted: a trial weighs 1 / its sampling probability. Intervals are 95 %; their ends are
    nan if the test patches belong to fewer than ten vulnerabilities. Inconclusive trials are left out, and
    the number of a trial is its place among the conclusive trials of its arm, from 1.

    ``table`` has a row for each arm and measure, except for undefined measures. Columns:

    - arm, measure: the names; :data:`crisol.abtest.confusion.METRICS` lists all measures, such as
      ``accuracy``.
    - estimate, low, high: the estimate with its interval. trials: the number of trials on which it rests.
    - naive: the estimate without weights. whole: the estimate if every patch is wargamed.

    ``trajectory`` has a row for each arm and trial. Columns:

    - arm: its name. trials: the number of the trial.
    - estimate, low, high: the accuracy up to this trial, with its confidence sequence.

    ``comparison`` has a row for each challenger, with the fields of
    :class:`crisol.abtest.compare.Comparison`.

    ``alarms`` has a row for each arm and test. The tests are sequential, see
    :func:`crisol.abtest.watch.watch`. Columns:

    - arm: its name. watch: the name of the test, ``errors`` or ``calibration``.
    - from_trial: the number of the first trial that is tested.
    - raised_at, raised_on: the number of the trial that raised the alarm, and the identity of its patch.
    - began_at: the estimated number of the trial at which the change began. Like raised_at and raised_on it
      is missing if there was no alarm.

    ``evidence`` has a row for each arm, test and tested trial. Columns:

    - arm: the names of arm and test, as ``arm: test``. trials: the number of the trial.
    - estimate: how near the test is to an alarm, 0 to 1; at 1 the alarm is raised.
    - low, high: always 0, and always equal to estimate.

    ``disagreements`` has a row for each trial whose prediction contradicts the verdict, with the columns of
    :func:`crisol.lab.disagreements.disagreements`. ``confusions`` maps each arm to the sums of weights (true
    accepts, false accepts, false rejects, true rejects). ``experiment`` is the name under which the trials
    are stored; :func:`summed` leaves it "".
    """

    table: pd.DataFrame
    trajectory: pd.DataFrame
    comparison: pd.DataFrame
    alarms: pd.DataFrame
    evidence: pd.DataFrame
    disagreements: pd.DataFrame
    confusions: dict[str, tuple[float, float, float, float]]
    experiment: str = ""

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """The rows of ``table`` as (name, estimate, low, high), where the name is ``arm: measure``."""
        return [
            (f"{row['arm']}: {row['measure']}", float(row["estimate"]), float(row["low"]), float(row["high"]))
            for row in self.table.to_dict("records")
        ]

    def measures(self, arm: str) -> dict[str, float]:
        """Return the figures of one arm in ``table`` by name, as MLflow metrics.

        A measure gives five figures, one for each of the columns estimate, low, high, naive and whole. Those
        of ``accuracy``, for example, are named ``accuracy`` (the estimate), ``accuracy_low``,
        ``accuracy_high``, ``accuracy_naive`` and ``accuracy_whole``. For an unknown arm the dict is empty.
        """
        ends = {"": "estimate", "_low": "low", "_high": "high", "_naive": "naive", "_whole": "whole"}
        return {
            f"{row['measure']}{end}": float(row[column])
            for row in self.table[self.table["arm"] == arm].to_dict("records")
            for end, column in ends.items()
        }

    def steps(self, arm: str) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield evenly spaced points of one arm's ``trajectory``, as (number of trials, figures by name).

        There are fewer than a hundred points; a trajectory of up to 99 trials is yielded whole. The names are
        ``running_accuracy``, ``running_accuracy_low`` and ``running_accuracy_high``.
        """
        path = self.trajectory[self.trajectory["arm"] == arm]
        shown = path[path["trials"] % max(1, len(path) // _STEPS) == 0]
        for row in shown.to_dict("records"):
            ends = {"": "estimate", "_low": "low", "_high": "high"}
            yield (
                int(row["trials"]),
                {f"running_accuracy{end}": float(row[column]) for end, column in ends.items()},
            )


def summed(
    names: Sequence[str], sampled: list[Trial], every: list[Trial], frame: pd.DataFrame, max_weight: float
) -> ExperimentResult:
    """Return the tables of an A/B experiment from its trials.

    ``names`` are the arms, the champion first. ``sampled`` are the stored trials, ``every`` those of a
    simulation in which all patches are sampled; both are in order of arrival. ``frame`` is the corpus table.
    ``max_weight`` is the largest weight that a trial can have: 1 / the smallest sampling probability.
    """
    whole, sampled_arms = arms_of(every), arms_of(sampled)
    arms = {name: sampled_arms[name] for name in names}
    rows = [row for arm, trials in arms.items() for row in _rows(arm, trials, whole[arm])]
    paths = [
        trajectory(trials, max_weight=max_weight)
        .rename(columns={"n": "trials", "accuracy": "estimate"})
        .assign(arm=arm)
        for arm, trials in arms.items()
    ]
    watched = [
        watched_arm
        for arm, trials in arms.items()
        for watched_arm in watch(arm, trials, max_weight=max_weight)
    ]
    first, *others = names
    return ExperimentResult(
        table=pd.DataFrame(rows).dropna(subset="estimate", ignore_index=True),
        trajectory=pd.concat(paths, ignore_index=True)[["arm", "trials", "estimate", "low", "high"]],
        comparison=pd.DataFrame(
            [asdict(compare(first, other, pair(arms[first], arms[other]))) for other in others]
        ),
        alarms=_alarms(watched),
        evidence=pd.concat([_evidence(watched_arm) for watched_arm in watched], ignore_index=True),
        disagreements=disagreements(sampled, frame),
        confusions={arm: _weights(_tally(trials)) for arm, trials in arms.items()},
    )


def without_intervals(result: ExperimentResult) -> ExperimentResult:
    """Return a copy of ``result`` in which the ends of all intervals are nan.

    Use it if the test patches belong to too few vulnerabilities for intervals.
    """
    bounds = ["low", "high"]
    compared = [name for name in result.comparison if str(name).endswith(("low", "high"))]
    return replace(
        result,
        table=result.table.assign(**dict.fromkeys(bounds, np.nan)),
        trajectory=result.trajectory.assign(**dict.fromkeys(bounds, np.nan)),
        comparison=result.comparison.assign(**dict.fromkeys(map(str, compared), np.nan)),
    )


def _rows(arm: str, trials: Sequence[Trial], every: Sequence[Trial]) -> Iterator[dict[str, object]]:
    tally = _tally(trials)
    weighted, naive, whole = metrics(tally), metrics(_unweighted(tally)), metrics(_tally(every))
    for measure in METRICS:
        estimate = getattr(weighted, measure)
        yield {
            "arm": arm,
            "measure": measure,
            "estimate": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "trials": estimate.n,
            "naive": getattr(naive, measure).value,
            "whole": getattr(whole, measure).value,
        }


def _alarms(watched: Sequence[Watched]) -> pd.DataFrame:
    rows = [
        {
            "arm": watched_arm.arm,
            "watch": watched_arm.name,
            "from_trial": watched_arm.baseline + 1,
            "raised_at": watched_arm.raised_at,
            "began_at": watched_arm.began_at,
            "raised_on": watched_arm.raised_on,
        }
        for watched_arm in watched
    ]
    return pd.DataFrame(rows).astype({"raised_at": "Int64", "began_at": "Int64"})


def _evidence(watched: Watched) -> pd.DataFrame:
    share = np.minimum(watched.alarm.evidence / watched.alarm.threshold, 1.0)
    trials = np.arange(watched.baseline + 1, watched.baseline + 1 + share.size)
    return pd.DataFrame(
        {
            "arm": f"{watched.arm}: {watched.name}",
            "trials": trials,
            "estimate": share,
            "low": 0.0,
            "high": share,
        }
    )


def _tally(trials: Sequence[Trial]) -> Tally:
    return sum((Tally.of(trial) for trial in trials), Tally())


def _weights(tally: Tally) -> tuple[float, float, float, float]:
    return tally.tp.weight, tally.fp.weight, tally.fn.weight, tally.tn.weight


def _unweighted(tally: Tally) -> Tally:
    tp, fp, fn, tn = (Cell(cell.n, cell.n, cell.n) for cell in (tally.tp, tally.fp, tally.fn, tally.tn))
    return Tally(tp, fp, fn, tn)
