"""The A/B experiment for notebooks: train on some vulnerabilities, meet the patches of the others, keep every trial.

The corpus holds the verdict on every patch, so beside what sampling estimates stands what wargaming all of them
would have said, and what one would believe who counted trials without weighting them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

import pandas as pd

from crisol import diff
from crisol.abtest.confusion import METRICS, metrics, proportion
from crisol.abtest.runner import Arm, Experiment, Truth, run
from crisol.abtest.sampler import HashSampler
from crisol.abtest.store import MemoryStore, TrialFilter, utc_now
from crisol.abtest.tally import Cell, Tally
from crisol.config import Settings
from crisol.errors import DatasetError
from crisol.lab.compare import chosen_variants
from crisol.lab.trials import disagreements, split
from crisol.model import dataset, training
from crisol.model.predictor import Predictor
from crisol.records import LabelledPatch, Outcome, Prediction, Reason, Trial
from crisol.wargame.corpus import content_hash
from crisol.wiring import open_trials

__all__ = ["Result", "experiment"]

_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Result:
    """What the trials amount to; every estimate is weighted and has a 95 % interval.

    ``table`` has a row for each arm and measure: the estimate with its bounds, the ``trials`` it rests on, the
    ``naive`` figure that counts them alike, and ``whole``, what wargaming every patch says.
    ``confusions`` are counts of trials.
    """

    table: pd.DataFrame
    trajectory: pd.DataFrame
    disagreements: pd.DataFrame
    confusions: dict[str, tuple[int, int, int, int]]

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Arm and measure, estimate, low and high."""
        return [
            (f"{row['arm']}: {row['measure']}", float(row["estimate"]), float(row["low"]), float(row["high"]))
            for row in self.table.to_dict("records")
        ]

    @property
    def metrics(self) -> dict[str, float]:
        """All numbers of the table, as ``arm.measure`` and ``arm.measure_low``, ``_high``, ``_naive``, ``_whole``."""
        ends = {"": "estimate", "_low": "low", "_high": "high", "_naive": "naive", "_whole": "whole"}
        return {
            f"{row['arm']}.{row['measure']}{end}": float(row[column])
            for row in self.table.to_dict("records")
            for end, column in ends.items()
        }


def experiment(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    *,
    variants: Sequence[str] = (),
    rate: float | None = None,
    unsure_below: float = 0.7,
    held_out: float = 0.5,
) -> Result:
    """Run the experiment, or finish one that was interrupted, and sum it up.

    ``variants`` name the arms, the champion first; none means the first variant there is. The others predict the
    patches that were sampled for the champion: with probability ``rate`` (``AB_TEST_RATE`` unless it is given),
    and always where the champion's confidence lies under ``unsure_below``. The experiment is known by its corpus
    and parameters: to run it again adds no trial. Raises :class:`~crisol.errors.DatasetError` where no patch was
    sampled.
    """
    rate = settings.ab_test_rate if rate is None else rate
    learn, meet = split(frame, seed, held_out)
    meet = meet.drop_duplicates(["vulnerability", "id"]).sort_values(["id", "vulnerability"])
    known = chosen_variants(settings, variants)
    arms = tuple(_arm(settings, name, learn, seed) for name in (variants or list(known)[:1]))
    key = json.dumps([content_hash(frame), seed, [arm.name for arm in arms], rate, unsure_below, held_out])
    name = f"ab-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    design = Experiment(name, arms, HashSampler(rate, f"{seed}"), unsure_below, f"{seed}")
    patches = dataset.from_table(meet)
    judge = partial(_look_up, _truths(meet))
    with closing(open_trials(settings)) as store:
        for _ in run(design, patches, store, start=utc_now(), step=_TICK, judge=judge):
            pass
        seen = list(store.read(TrialFilter(experiment=name)))
    if not seen:
        raise DatasetError(f"no patch was sampled at rate {rate}; raise the rate or bring a larger corpus")
    every = list(
        run(
            replace(design, sampler=HashSampler(1.0, "")),
            patches,
            MemoryStore(),
            start=utc_now(),
            step=_TICK,
            judge=judge,
        )
    )
    return _summed(arms, seen, every, frame)


def _arm(settings: Settings, name: str, learn: pd.DataFrame, seed: int) -> Arm:
    variant = chosen_variants(settings, [name])[name]
    model = Predictor(training.train(variant, dataset.from_table(learn), seed=seed))

    def predict(patch: LabelledPatch) -> Prediction:
        return model.predict(diff.parse(patch.diff), patch.cwe)

    return Arm(name, predict, model.model.model_version)


def _truths(frame: pd.DataFrame) -> dict[tuple[str, str], Truth]:
    return {
        (str(row["vulnerability"]), str(row["id"])): Truth(
            Outcome(row["outcome"]), Reason(row["reason"]) if row["reason"] else None, float(row["seconds"])
        )
        for row in frame.to_dict("records")
    }


def _look_up(truths: dict[tuple[str, str], Truth], patch: LabelledPatch) -> Truth:
    return truths[patch.group, patch.id]


def _summed(arms: Sequence[Arm], seen: list[Trial], every: list[Trial], frame: pd.DataFrame) -> Result:
    rows, path, confusions = [], [], {}
    for arm in arms:
        trials = [trial for trial in seen if trial.arm == arm.name]
        running = list(accumulate((Tally.of(trial) for trial in trials), Tally.__add__, initial=Tally()))[1:]
        tally = running[-1]
        weighted, naive = metrics(tally), metrics(_counted(tally))
        whole = metrics(sum((Tally.of(trial) for trial in every if trial.arm == arm.name), Tally()))
        for measure in METRICS:
            estimate = getattr(weighted, measure)
            rows.append(
                {
                    "arm": arm.name,
                    "measure": measure,
                    "estimate": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "trials": estimate.n,
                    "naive": getattr(naive, measure).value,
                    "whole": getattr(whole, measure).value,
                }
            )
        confusions[arm.name] = (tally.tp.n, tally.fp.n, tally.fn.n, tally.tn.n)
        for n, so_far in enumerate(running, start=1):
            accuracy = proportion([so_far.tp, so_far.tn], [so_far.fp, so_far.fn])
            path.append(
                {
                    "arm": arm.name,
                    "trials": n,
                    "estimate": accuracy.value,
                    "low": accuracy.low,
                    "high": accuracy.high,
                }
            )
    return Result(
        pd.DataFrame(rows).dropna(subset="estimate", ignore_index=True),
        pd.DataFrame(path),
        disagreements(seen, frame),
        confusions,
    )


def _counted(tally: Tally) -> Tally:
    """Return the same trials as if each had been sampled with certainty."""
    tp, fp, fn, tn = (Cell(cell.n, cell.n, cell.n) for cell in (tally.tp, tally.fp, tally.fn, tally.tn))
    return Tally(tp, fp, fn, tn)
