"""Tables of metrics and counts of trials, for the command line, the notebooks and the service."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from crisol.abtest.compare import Comparison, compare, pair, sequence
from crisol.abtest.confusion import METRICS, ConfusionMetrics, metrics
from crisol.abtest.sequential import ConfidenceSequence, betting_sequence
from crisol.abtest.store import EVERYTHING, Switch, TrialFilter
from crisol.abtest.tally import Slice, Tally
from crisol.abtest.trial import disagreement
from crisol.errors import ExperimentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisol.abtest.store import TrialStore
    from crisol.records import Trial

__all__ = [
    "WINDOWS",
    "Status",
    "arms_of",
    "compare_arms",
    "disagreements",
    "experiments_of",
    "results",
    "status",
    "trajectory",
    "window",
    "window_results",
]

WINDOWS = {"1h": dt.timedelta(hours=1), "24h": dt.timedelta(days=1), "7d": dt.timedelta(days=7)}
WINDOWS |= {"30d": dt.timedelta(days=30)}
"""The time windows that are shown by default."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Status:
    """The state of A/B testing: its switch, and how many trials are stored.

    ``trials`` counts all trials, ``inconclusive`` the trials whose wargame was inconclusive, ``last_day`` the
    trials of the last 24 hours. ``arms`` maps the name of each arm to the number of its trials.
    """

    switch: Switch
    trials: int
    inconclusive: int
    last_day: int
    arms: dict[str, int]


def window(text: str) -> dt.timedelta:
    """Convert a text such as ``90m``, ``6h`` or ``14d`` (minutes, hours, days) to a duration.

    Raises :class:`~crisol.errors.ExperimentError` for any other text, for 0, and for more than 10 years.
    """
    match = re.fullmatch(r"(\d{1,6})([mhd])", text, re.ASCII)
    span = dt.timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else dt.timedelta(0)
    if not dt.timedelta(0) < span <= dt.timedelta(days=3653):
        raise ExperimentError(
            f"window {text!r}: give a number of minutes, hours or days, such as 90m, 24h or 7d"
        )
    return span


def results(
    store: TrialStore, where: TrialFilter = EVERYTHING, by: Sequence[Slice] = (), level: float = 0.95
) -> pd.DataFrame:
    """Return a table with the metrics of each group of trials, one row for each group.

    ``where`` selects trials of ``store``; ``by`` lists the properties to group by, and () makes one group.
    Columns: one for each property; n, the number of conclusive trials; inconclusive, the number of other
    trials; then accuracy, precision, recall, f1, mcc, false_accept_rate and prevalence, each followed by the
    bounds of its interval, with the endings ``_low`` and ``_high``. ``level`` is the intervals' coverage. A
    metric that would divide by 0 is NaN, such as the precision of a group in which no patch was predicted
    valid. Rows are sorted by their properties; if no trial matches, the table is empty.
    """
    rows = [
        dict(zip((str(slice_) for slice_ in by), key, strict=True)) | _row(metrics(tally, level))
        for key, tally in store.tallies(where, by).items()
    ]
    return pd.DataFrame(rows, columns=[*map(str, by), *_COLUMNS])


def window_results(
    store: TrialStore,
    now: dt.datetime,
    where: TrialFilter = EVERYTHING,
    windows: dict[str, dt.timedelta] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return a table with the metrics of the trials in each of several time windows that end at ``now``.

    ``windows`` maps names to durations; None means 1h, 24h, 7d and 30d. ``where`` selects trials of
    ``store``; its ``since`` and ``until`` are ignored. Each window has one row, in the order of ``windows``.
    Columns: window (the name), n (conclusive trials), inconclusive (other trials), then accuracy, precision,
    recall, f1, mcc, false_accept_rate and prevalence, each followed by the bounds of its interval, with the
    endings ``_low`` and ``_high``. ``level`` is the intervals' coverage. A window without trials has n = 0.
    """
    rows = []
    for name, span in (WINDOWS if windows is None else windows).items():
        within = TrialFilter(
            where.experiment, where.arm, where.model_version, where.cwe, since=now - span, until=now
        )
        tally = store.tallies(within).get((), Tally())
        rows.append({"window": name} | _row(metrics(tally, level)))
    return pd.DataFrame(rows, columns=["window", *_COLUMNS])


def status(store: TrialStore, now: dt.datetime, where: TrialFilter = EVERYTHING) -> Status:
    """Return the switch of A/B testing, and the counts of the trials in ``store`` that match ``where``.

    ``now`` is the present time, with a time zone; the result's ``last_day`` counts the 24 hours before it.
    """
    by_arm = {key[0]: tally for key, tally in store.tallies(where, (Slice.ARM,)).items()}
    total = sum(by_arm.values(), Tally())
    day = TrialFilter(
        where.experiment, where.arm, where.model_version, where.cwe, since=now - WINDOWS["24h"], until=now
    )
    recent = store.tallies(day).get((), Tally())
    return Status(
        switch=store.switch(),
        trials=total.n + total.inconclusive,
        inconclusive=total.inconclusive,
        last_day=recent.n + recent.inconclusive,
        arms={arm: tally.n + tally.inconclusive for arm, tally in by_arm.items()},
    )


def arms_of(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Return the trials of each arm, by the arm's name; each list keeps the order of ``trials``."""
    arms: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        arms[trial.arm].append(trial)
    return dict(arms)


def experiments_of(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Return the trials of each experiment, by its name; each list keeps the order of ``trials``.

    Compare arms within one experiment only: arms of two experiments may have the same name by chance.
    """
    experiments: defaultdict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        experiments[trial.experiment].append(trial)
    return dict(experiments)


def compare_arms(
    store: TrialStore, first: str, second: str, where: TrialFilter = EVERYTHING, *, seed: int = 0
) -> tuple[Comparison, ConfidenceSequence]:
    """Compare two arms over the trials in ``store`` that match ``where``.

    ``first`` and ``second`` are the names of the arms. Returns their comparison, and the confidence sequence
    of the difference in accuracy (first minus second) after each patch. The same ``seed`` gives the same
    bootstrap interval. Raises :class:`~crisol.errors.ExperimentError` if an arm has no trials or the trials
    belong to several experiments. Raises :class:`~crisol.errors.InputError` if no patch was predicted by both
    arms, or an arm predicted a patch with two model versions; select one version by ``where``.
    """
    experiments = experiments_of(store.read(where))
    if len(experiments) > 1:
        raise ExperimentError(f"arms are of one experiment: name one of {', '.join(sorted(experiments))}")
    arms = arms_of(trial for trials in experiments.values() for trial in trials)
    for name in (first, second):
        if name not in arms:
            raise ExperimentError(
                f"no trials of arm {name!r}; there are: {', '.join(sorted(arms)) or 'none'}"
            )
    pairs = pair(arms[first], arms[second])
    return compare(first, second, pairs, seed=seed), sequence(pairs)


def trajectory(
    trials: Iterable[Trial], *, max_weight: float | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Return a table of the weighted accuracy so far after each conclusive trial, with its bounds.

    ``trials`` are those of one arm, in the order of time. All bounds together cover the true accuracy with
    probability ``level``. ``max_weight`` is the largest possible weight of a trial, 1 / rate; None means the
    largest in ``trials``. Columns: created_at, n (trials so far), accuracy, low, high. Without conclusive
    trials there are no rows. Raises :class:`~crisol.errors.InputError` for a weight above ``max_weight``.
    """
    conclusive = [trial for trial in trials if trial.correct is not None]
    bounds = betting_sequence(
        [float(bool(trial.correct)) for trial in conclusive],
        [1.0 / trial.sampling_probability for trial in conclusive],
        max_weight=max_weight,
        level=level,
    )
    return pd.DataFrame(
        {
            "created_at": [trial.created_at for trial in conclusive],
            "n": range(1, len(conclusive) + 1),
            "accuracy": bounds.estimate,
            "low": bounds.low,
            "high": bounds.high,
        }
    )


def disagreements(trials: Iterable[Trial]) -> pd.DataFrame:
    """Return a table of the trials in which model and wargame disagree, the most confident first.

    Inconclusive trials are left out. Columns: vulnerability (id), patch (identity), arm, confidence (the
    model's, 0.5 to 1), and disagreement (a text such as ``model 0.91 valid, wargame: variant_survives``).
    """
    rows = [
        {
            "vulnerability": trial.vulnerability,
            "patch": trial.patch,
            "arm": trial.arm,
            "confidence": trial.confidence,
            "disagreement": disagreement(trial),
        }
        for trial in trials
        if trial.correct is False
    ]
    table = pd.DataFrame(rows, columns=["vulnerability", "patch", "arm", "confidence", "disagreement"])
    return table.sort_values(["confidence", "patch"], ascending=[False, True], ignore_index=True)


_COLUMNS = ["n", "inconclusive", *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high"))]


def _row(metrics: ConfusionMetrics) -> dict[str, Any]:
    row: dict[str, Any] = {"n": metrics.n, "inconclusive": metrics.inconclusive}
    for name in METRICS:
        estimate = getattr(metrics, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row
