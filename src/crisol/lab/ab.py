"""The A/B experiment for notebooks: train on some vulnerabilities, meet the others, sum up where they differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest

from crisol import diff
from crisol.abtest.sampler import HashSampler
from crisol.abtest.trial import observe
from crisol.config import Settings
from crisol.errors import DatasetError
from crisol.lab.compare import chosen_variants
from crisol.lab.trials import disagreements, split
from crisol.model import dataset, training
from crisol.model.predictor import Predictor
from crisol.records import Outcome, Reason, Trial

__all__ = ["Result", "experiment", "trials"]


@dataclass(frozen=True, slots=True)
class Result:
    """What the trials amount to; every estimate has a 95 % Wilson interval."""

    table: pd.DataFrame
    trajectory: pd.DataFrame
    disagreements: pd.DataFrame
    confusions: dict[str, tuple[int, int, int, int]]

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Name, estimate, low and high of each measure."""
        columns = ["measure", "estimate", "low", "high"]
        return [(str(n), float(e), float(a), float(b)) for n, e, a, b in self.table[columns].to_numpy()]

    @property
    def metrics(self) -> dict[str, float]:
        """The estimates and their bounds, by name."""
        return {
            f"{n}{end}": v
            for n, *vs in self.intervals
            for end, v in zip(("", "_low", "_high"), vs, strict=True)
        }


def trials(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    *,
    variant: str,
    rate: float,
    held_out: float,
    run_id: str,
) -> Iterator[Trial]:
    """Yield one trial for each sampled patch of the held-out vulnerabilities, ordered by patch."""
    learn, meet = split(frame, seed, held_out)
    chosen = chosen_variants(settings, [variant] if variant else [])
    arm, recipe = next(iter(chosen.items()))
    model = Predictor(training.train(recipe, dataset.from_table(learn), seed=seed))
    sampler = HashSampler(rate, f"{seed}")
    for row in meet.sort_values("id").to_dict("records"):
        draw = sampler.draw(str(row["id"]))
        if not draw.sampled:
            continue
        yield observe(
            model.predict(diff.parse(row["diff"]), str(row["cwe"])),
            patch=str(row["id"]),
            vulnerability=str(row["vulnerability"]),
            outcome=Outcome(row["outcome"]),
            reason=Reason(row["reason"]) if row["reason"] else None,
            sampling_probability=draw.probability,
            created_at=dt.datetime.now(dt.UTC),
            experiment=run_id,
            arm=arm,
            cwe=str(row["cwe"]),
            wargame_seconds=float(row["seconds"]),
        )


def experiment(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    *,
    variant: str,
    rate: float,
    held_out: float,
    run_id: str,
) -> Result:
    """Run the experiment and sum it up.

    All patches are sampled at one rate, so that their weights are equal and counts may stand for them. Raises
    :class:`~crisol.errors.DatasetError` where no patch was sampled.
    """
    seen = list(trials(settings, frame, seed, variant=variant, rate=rate, held_out=held_out, run_id=run_id))
    if not seen:
        raise DatasetError(f"no patch was sampled at rate {rate}; raise the rate or bring a larger corpus")
    said = [(trial.predicted_valid, trial.outcome is Outcome.VALID) for trial in seen]
    tp, fp, fn, tn = (
        said.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))
    )
    rows = [
        _row("accuracy", tp + tn, len(said)),
        _row("precision", tp, tp + fp),
        _row("recall", tp, tp + fn),
        _row("false_accept_rate", fp, fp + tn),
    ]
    right = [int(a == b) for a, b in said]
    path = [
        {"arm": seen[0].arm, "trials": n, **_row("", sum(right[:n]), n)} for n in range(1, len(right) + 1)
    ]
    return Result(
        table=pd.DataFrame([row for row in rows if row["of"]]),
        trajectory=pd.DataFrame(path),
        disagreements=disagreements(seen, frame),
        confusions={seen[0].arm: (tp, fp, fn, tn)},
    )


def _row(measure: str, count: int, of: int) -> dict[str, object]:
    if not of:
        return {"measure": measure, "estimate": None, "low": None, "high": None, "count": 0, "of": 0}
    low, high = binomtest(count, of).proportion_ci(method="wilson")
    return {"measure": measure, "estimate": count / of, "low": low, "high": high, "count": count, "of": of}
