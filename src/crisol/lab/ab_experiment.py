"""The A/B experiment for notebooks.

It trains models on some vulnerabilities, predicts the verdicts on the patches of the others, and stores every
trial. The corpus holds all true verdicts. So the tables show three values of each measure: the weighted
estimate from the sampled patches, the same without weights, and the value over all patches.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import pandas as pd

from crisol.abtest.runner import Arm, Experiment, Truth, run
from crisol.abtest.sampler import HashSampler
from crisol.abtest.store import MemoryStore, TrialFilter, utc_now
from crisol.config import Settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.ab_tables import ExperimentResult, summed, without_intervals
from crisol.lab.compare import chosen_variants
from crisol.lab.disagreements import split
from crisol.model import dataset, training
from crisol.model.policy import Policy
from crisol.model.risk import at_hand
from crisol.model.scores import LEAST_GROUPS
from crisol.model.variants import Recipe
from crisol.records import LabelledPatch, Outcome, Prediction, Reason, Trial
from crisol.wargaming.corpus import content_hash
from crisol.wiring import open_trials

__all__ = ["ExperimentResult", "experiment", "sweep"]

_TICK = dt.timedelta(microseconds=1)


def experiment(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    *,
    variants: Sequence[str | Recipe] = (),
    rate: float | None = None,
    errors: float = 0.1,
    held_out: float = 0.5,
    spoiled_after: float = 1.0,
) -> ExperimentResult:
    """Run an A/B experiment on a corpus table, or continue an interrupted one, and return its tables.

    Nothing is executed: the verdict of each patch is looked up in ``frame``, the corpus table. ``variants``
    are the arms, the champion first: names from ``experiments/variants.yaml``, or recipes. If the sequence is
    empty, the first variant of that file is the only arm. The arms are tested on the share ``held_out`` of
    the vulnerabilities, and trained on the others.

    The champion's thresholds are chosen on out-of-fold predictions of the training patches: at most the share
    ``errors`` of the accepted patches is invalid, and at most that share of the rejected ones is valid. A
    test patch whose probability lies between the thresholds is always sampled, any other with the probability
    ``rate``; None takes the setting ``AB_TEST_RATE``. For each sampled patch one trial for each arm is
    stored. ``seed`` draws the split and the sample, and seeds the training. A second call with the same
    arguments adds no trial.

    ``spoiled_after`` tests the alarms: after this share of the test patches, the champion's probabilities p
    are replaced by 1 - p; 1 means never. Raises :class:`~crisol.errors.DatasetError` for too few
    vulnerabilities or where no patch was sampled, and :class:`~crisol.errors.ExperimentError` for a share out
    of range or an unknown variant.
    """
    chosen = settings.ab_test_rate if rate is None else rate
    meeting = _meet(
        settings,
        frame,
        seed,
        variants=variants,
        held_out=held_out,
        spoiled_after=spoiled_after,
        errors=errors,
    )
    return meeting.conduct(chosen)


def sweep(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    rates: Sequence[float],
    *,
    variants: Sequence[str | Recipe] = (),
    errors: float = 0.1,
    held_out: float = 0.5,
) -> pd.DataFrame:
    """Run an A/B experiment at each of several sampling rates, and return the champion's accuracy for each.

    ``rates`` are the sampling rates, in [0, 1]. The table has a row for each rate, in this order, with these
    columns: ``rate`` is the sampling rate, ``trials`` the number of the champion's trials, ``wargamed`` that
    number as a share of the test patches. ``estimate`` is the weighted accuracy, with the ends ``low`` and
    ``high`` of its 95 % interval. ``naive`` is the accuracy of the trials without weights, ``whole`` the
    accuracy if every patch is wargamed. For the other arguments and errors see :func:`experiment`; also
    raises :class:`~crisol.errors.ExperimentError` if ``rates`` is empty.
    """
    if not rates:
        raise ExperimentError("rates is empty: give at least one, such as 0.10")
    meeting = _meet(settings, frame, seed, variants=variants, held_out=held_out, errors=errors)
    rows = []
    for rate in rates:
        table = meeting.conduct(rate).table
        row = table[table["measure"] == "accuracy"].iloc[0]
        shown = {name: float(row[name]) for name in ("estimate", "low", "high", "naive", "whole")}
        share = int(row["trials"]) / len(meeting.patches)
        rows.append({"rate": float(rate), "trials": int(row["trials"]), "wargamed": share, **shown})
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True)
class _Meeting:
    """The trained arms of an A/B experiment, and its test patches in the order of arrival.

    The keys of ``truths`` are pairs (vulnerability, patch id). ``seed`` determines which patches are sampled.
    ``key`` holds those arguments of :func:`_meet` that become part of the experiment's name.
    """

    settings: Settings
    frame: pd.DataFrame
    seed: int
    arms: tuple[Arm, ...]
    patches: list[LabelledPatch]
    truths: dict[tuple[str, str], Truth]
    policy: Policy
    key: tuple[float, float, float]

    def conduct(self, rate: float) -> ExperimentResult:
        models = [[arm.name, arm.model_version] for arm in self.arms]
        key = json.dumps([content_hash(self.frame), self.seed, models, rate, *self.key])
        # By this name the same experiment finds its earlier trials.
        name = "-".join([*(arm.name for arm in self.arms), hashlib.sha256(key.encode()).hexdigest()[:8]])
        design = Experiment(name, self.arms, HashSampler(rate, f"{self.seed}"), self.policy, f"{self.seed}")
        with closing(open_trials(self.settings)) as store:
            for _ in run(design, self.patches, store, start=utc_now(), step=_TICK, judge=self._judge):
                pass
            recorded = list(store.read(TrialFilter(experiment=name)))
        if not recorded:
            raise DatasetError(
                f"no patch was sampled at rate {rate}; raise the rate or bring a larger corpus"
            )
        names = [arm.name for arm in self.arms]
        result = summed(names, recorded, self._every(design), self.frame, 1.0 / rate if rate else 1.0)
        if len({patch.group for patch in self.patches}) < LEAST_GROUPS:
            result = without_intervals(result)
        return replace(result, experiment=name)

    def _every(self, design: Experiment) -> list[Trial]:
        all_in = replace(design, sampler=HashSampler(1.0, ""))
        return list(run(all_in, self.patches, MemoryStore(), start=utc_now(), step=_TICK, judge=self._judge))

    def _judge(self, patch: LabelledPatch) -> Truth:
        return self.truths[patch.group, patch.id]


def _meet(
    settings: Settings,
    frame: pd.DataFrame,
    seed: int,
    *,
    variants: Sequence[str | Recipe],
    held_out: float,
    errors: float,
    spoiled_after: float = 1.0,
) -> _Meeting:
    if not 0.0 <= spoiled_after <= 1.0:
        raise ExperimentError(f"spoiled_after is {spoiled_after}, not within 0..1")
    learn, meet = split(frame, seed, held_out)
    meet = meet.drop_duplicates(["vulnerability", "id"]).sort_values(["id", "vulnerability"])
    patches = dataset.from_table(meet)
    recipes = [
        chosen_variants(settings, [variant])[variant] if isinstance(variant, str) else variant
        for variant in variants
    ] or list(chosen_variants(settings, []).values())[:1]
    names = [recipe.name for recipe in recipes]
    if not 0.0 < errors < 1.0:
        raise ExperimentError(f"errors is {errors}, not within (0, 1)")
    taught = dataset.from_table(learn)
    models = [training.train(recipe, taught, seed=seed, search=False) for recipe in recipes]
    champion, *challengers = (_arm(name, model, patches) for name, model in zip(names, models, strict=True))
    truth = np.array([patch.label for patch in taught])
    policy = at_hand(models[0].held_out, truth, np.array([patch.group for patch in taught]), errors)
    late = {(patch.group, patch.id) for patch in patches[round(spoiled_after * len(patches)) :]}
    arms = (_spoiled(champion, late), *challengers)
    return _Meeting(
        settings, frame, seed, arms, patches, _truths(meet), policy, (held_out, errors, spoiled_after)
    )


def _arm(name: str, model: training.FittedModel, patches: Sequence[LabelledPatch]) -> Arm:
    """Return an arm that can predict only ``patches``, since it looks up predictions that are made here.

    One batch is much faster than single rows, for a forest above all.
    """
    begun = perf_counter()
    probabilities = model.probabilities(patches)
    seconds = (perf_counter() - begun) / max(1, len(patches))
    predictions = {
        (patch.group, patch.id): Prediction(
            float(probability), model.model_version, model.feature_version, seconds
        )
        for patch, probability in zip(patches, probabilities, strict=True)
    }
    return Arm(name, lambda patch: predictions[patch.group, patch.id], model.model_version)


def _spoiled(arm: Arm, late: set[tuple[str, str]]) -> Arm:
    def predict(patch: LabelledPatch) -> Prediction:
        prediction = arm.predict(patch)
        if (patch.group, patch.id) not in late:
            return prediction
        return replace(prediction, probability=1.0 - prediction.probability)

    return replace(arm, predict=predict)


def _truths(frame: pd.DataFrame) -> dict[tuple[str, str], Truth]:
    return {
        (str(row["vulnerability"]), str(row["id"])): Truth(
            Outcome(row["outcome"]), Reason(row["reason"]) if row["reason"] else None, float(row["seconds"])
        )
        for row in frame.to_dict("records")
    }
