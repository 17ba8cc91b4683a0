"""What the trials of an experiment amount to, as tables for the notebook, MLflow and the report."""

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
    """The tables of an A/B experiment; a trial weighs one over its sampling probability, intervals are 95 %.

    Intervals are nan where fewer than :data:`~crisol.model.scores.LEAST_GROUPS` vulnerabilities were met.

    ``table`` has a row for each arm and measure: the estimate, ``low`` and ``high``, the number of
    ``trials``, ``naive`` (unweighted) and ``whole`` (from wargaming every patch). ``trajectory`` is the
    accuracy after each trial with bounds valid at all times; ``comparison`` sets the champion against each
    challenger. ``alarms`` lists the sequential tests that were raised, ``evidence`` how near each came after
    each trial (1: raised). ``confusions`` has the summed weights of each arm's trials (true +, false +,
    false -, true -). ``disagreements`` has a row for each patch on which champion and challenger differ;
    ``experiment`` is the name under which the trials are stored.
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
        """Every row of ``table`` as (``arm: measure``, estimate, low, high)."""
        return [
            (f"{row['arm']}: {row['measure']}", float(row["estimate"]), float(row["low"]), float(row["high"]))
            for row in self.table.to_dict("records")
        ]

    def measures(self, arm: str) -> dict[str, float]:
        """Return all numbers of an arm's rows of ``table`` by name, for MLflow.

        An estimate has the name of its measure; with ``_low``, ``_high``, ``_naive`` and ``_whole`` it is one
        of the other columns.
        """
        ends = {"": "estimate", "_low": "low", "_high": "high", "_naive": "naive", "_whole": "whole"}
        return {
            f"{row['measure']}{end}": float(row[column])
            for row in self.table[self.table["arm"] == arm].to_dict("records")
            for end, column in ends.items()
        }

    def steps(self, arm: str) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield about fifty points of an arm's trajectory as (number of trials, figures by name).

        The names are ``running_accuracy``, ``running_accuracy_low`` and ``running_accuracy_high``.
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
    """Return the tables of the ``sampled`` trials of the arms ``names``, whose first is the champion.

    ``every`` holds the trials of a run that wargames all patches, for comparison; both are in order of
    arrival. ``frame`` is the table of judged candidates that ``crisol corpus build`` makes. ``max_weight``
    is one over the smallest sampling probability of the design.
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
    """Return a result in which no estimate has bounds, for an experiment on too few vulnerabilities."""
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
    """Return the same trials as if each had been sampled with certainty."""
    tp, fp, fn, tn = (Cell(cell.n, cell.n, cell.n) for cell in (tally.tp, tally.fp, tally.fn, tally.tn))
    return Tally(tp, fp, fn, tn)
