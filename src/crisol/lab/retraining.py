"""Retrain a variant on the corpus and on stored trials.

A challenger is trained on the corpus and the trials. It is compared with the champion's variant, trained on
the corpus alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crisol.abtest.patches import PatchStore
from crisol.abtest.store import TrialFilter
from crisol.config import Settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.compare import chosen_variants
from crisol.lab.promotion import check_served, costs, not_worse, register, stands_on_fewer
from crisol.model import dataset, evaluation, scores, training
from crisol.model.risk import certify
from crisol.records import LabelledPatch, Outcome, Trial
from crisol.tracking import models
from crisol.tracking.runs import TrackedRun
from crisol.wiring import open_trials

__all__ = ["Gathered", "Retraining", "RetrainingDesign", "gather", "labelled", "retrain"]

_LEAST = 5
"""The least number of vulnerabilities in the test set; with fewer, single bugs decide the figures."""
_REPEATS = 500


@dataclass(frozen=True, slots=True)
class Gathered:
    """Labelled patches from stored trials, one for each pair of vulnerability and patch.

    :func:`labelled` makes them. ``weights`` has 1 / the sampling probability of each patch, in the order of
    ``patches``; if it is empty, all patches weigh the same. Two numbers say what was left out:
    ``inconclusive`` counts the inconclusive trials, ``without_text`` the patches whose diff is not stored.
    """

    patches: tuple[LabelledPatch, ...]
    inconclusive: int
    without_text: int
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrainingDesign:
    """The parameters of a retraining.

    ``variant`` is the name of the variant to train. ``held_out``, in (0, 1), is the share of the trials'
    vulnerabilities on which the models are tested. The same ``seed`` gives the same split and the same
    training. With ``promote`` the new model becomes champion if it meets the conditions of :func:`retrain`.
    Raises :class:`~crisol.errors.ExperimentError` for ``held_out`` out of range.
    """

    variant: str
    seed: int
    held_out: float = 0.3
    promote: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise ExperimentError(f"held_out must lie between 0 and 1, not {self.held_out}")


@dataclass(frozen=True, slots=True)
class Retraining:
    """The result of a retraining: three models that were tested on the same patches.

    ``table`` has a row for each model. Columns:

    - model: ``challenger`` (trained on corpus and trials), ``without trials`` (the same variant, trained on
      the corpus alone), or ``champion`` (the champion's variant, trained on the corpus alone).
    - variant: its name. The row ``champion`` has the challenger's variant if there is no champion, or if
      ``experiments/variants.yaml`` lacks the champion's variant.
    - learnt, tested: the numbers of patches for training and test.
    - auc, auc_low, auc_high: the AUC and its 95 % interval.
    - brier: the Brier score.
    - cost: the mean cost of a patch, in wargames, see :func:`crisol.lab.promotion.costs`.

    ``brought`` is a sentence that compares ``challenger`` with ``without trials``. ``not_worse`` is True if
    the challenger is shown to be no worse than the champion. ``reason`` is a sentence on this comparison; it
    also says if the champion was trained on more vulnerabilities. ``policy`` is a sentence on the thresholds
    of the registered challenger, which is trained on all patches; ``version`` is its number in the registry.
    """

    table: pd.DataFrame
    brought: str
    not_worse: bool
    reason: str
    policy: str
    version: str
    promoted: bool

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Each model as (name, AUC, low, high), with the ends of the AUC's 95 % interval."""
        rows = self.table.to_dict("records")
        return [(str(row["model"]), row["auc"], row["auc_low"], row["auc_high"]) for row in rows]


def gather(settings: Settings, frame: pd.DataFrame, experiment: str | None = None) -> Gathered:
    """Return labelled patches from the trials in the trial store, none if it has no trials.

    ``experiment`` names the A/B experiment whose trials are taken; None takes all. ``frame`` is the corpus
    table; a diff that it lacks is read from the folder in which the service stores patches. Raises
    :class:`~crisol.errors.StoreError` if the trial store cannot be read.
    """
    with closing(open_trials(settings)) as store:
        trials = list(store.read(TrialFilter(experiment=experiment)))
    return labelled(trials, frame, PatchStore(settings.patches))


def labelled(trials: Iterable[Trial], frame: pd.DataFrame, store: PatchStore) -> Gathered:
    """Return labelled patches from trials, one for each pair of vulnerability and patch, sorted by both.

    Of several conclusive trials of a patch, the last one in ``trials`` counts. The diff comes from the corpus
    table ``frame`` or, where the table lacks it, from ``store``. Inconclusive trials are left out, and so are
    patches whose diff is in neither; the result has the numbers of both.
    """
    rows_by_patch = {(str(row["vulnerability"]), str(row["id"])): row for row in frame.to_dict("records")}
    projects = {name: str(row["project"]) for (name, _), row in rows_by_patch.items()}
    labelled_patches: dict[tuple[str, str], LabelledPatch] = {}
    weights: dict[tuple[str, str], float] = {}
    missing: set[tuple[str, str]] = set()
    inconclusive = 0
    for trial in trials:
        if trial.outcome is Outcome.INCONCLUSIVE:
            inconclusive += 1
            continue
        key = (trial.vulnerability, trial.patch)
        text = str(rows_by_patch[key]["diff"]) if key in rows_by_patch else store.get(trial.patch)
        if text is None:
            missing.add(key)
            continue
        weights[key] = 1 / trial.sampling_probability
        labelled_patches[key] = LabelledPatch(
            id=trial.patch,
            group=trial.vulnerability,
            project=projects.get(trial.vulnerability, trial.vulnerability),
            label=int(trial.outcome is Outcome.VALID),
            diff=text,
            cwe=trial.cwe,
            tool="trial",
            reason=str(trial.reason or ""),
        )
    order = sorted(labelled_patches)
    return Gathered(
        tuple(labelled_patches[key] for key in order),
        inconclusive,
        len(missing),
        tuple(weights[key] for key in order),
    )


def retrain(
    settings: Settings,
    tracked: TrackedRun,
    frame: pd.DataFrame,
    gathered: Gathered,
    design: RetrainingDesign,
    *,
    watch: Callable[[str], object] | None = None,
) -> Retraining:
    """Train a variant on corpus and trials, compare it with two other models, and register it as challenger.

    For the three models see :class:`Retraining`. All three are tested on the share ``design.held_out`` of the
    trials' vulnerabilities, and trained on the other vulnerabilities. A test patch weighs 1 / its sampling
    probability. The registered model is then trained on all patches. It becomes champion only if
    ``design.promote`` is True, if it is shown to be no worse than the champion, and if the champion was not
    trained on more vulnerabilities.

    ``frame`` is the corpus table, ``gathered`` the labelled patches of the trials, ``tracked`` the MLflow run
    that stores the model. ``watch`` is called with the name of each model after its test; None calls nothing.
    Raises :class:`~crisol.errors.DatasetError` for fewer than five vulnerabilities to test on or none to
    train on, :class:`~crisol.errors.ExperimentError` for an unknown variant, and
    :class:`~crisol.errors.ModelError` for a variant that reads the vulnerable source.
    """
    aside = _set_aside(gathered, design)
    chosen = chosen_variants(settings, [design.variant])[design.variant]
    check_served(chosen)
    corpus = dataset.from_table(frame)
    taught = {(patch.group, patch.id) for patch in gathered.patches}
    everything = [
        *(known_patch for known_patch in corpus if (known_patch.group, known_patch.id) not in taught),
        *gathered.patches,
    ]
    inside = np.array([patch.group in aside for patch in gathered.patches])
    test = [patch for patch in gathered.patches if patch.group in aside]
    weight = np.array(gathered.weights or [1.0] * len(inside))[inside]
    tags = models.holder_tags(settings)
    holder = chosen_variants(settings, ()).get((tags or {}).get("variant", ""), chosen)
    truth = np.array([patch.label for patch in test])
    groups = np.array([patch.group for patch in test])
    rows, sides = [], []
    for side, variant, patches in (
        ("challenger", chosen, everything),
        ("without trials", chosen, corpus),
        ("champion", holder, corpus),
    ):
        learnt = dataset.without_overlap(patches, test)
        probabilities = training.train(variant, learnt, design.seed).probabilities(test)
        error, cost = (probabilities - truth) ** 2, costs(truth, probabilities, groups)
        sides.append((error, cost))
        low, high = scores.auc_interval(
            truth, probabilities, groups, repeats=_REPEATS, seed=design.seed, weight=weight
        )
        figures = {"auc": scores.auc(truth, probabilities, weight), "auc_low": low, "auc_high": high}
        figures |= {
            "brier": float(np.average(error, weights=weight)),
            "cost": float(np.average(cost, weights=weight)),
        }
        rows.append(
            {"model": side, "variant": variant.name, "learnt": len(learnt), "tested": len(test)} | figures
        )
        if watch is not None:
            watch(side)
    _, brought = not_worse(sides[0], sides[1], groups, seed=design.seed, weight=weight)
    better, reason = not_worse(sides[0], sides[2], groups, seed=design.seed, weight=weight)
    evaluated = evaluation.evaluate(chosen, everything, seed=design.seed)
    guarantee = certify(
        evaluated.probability,
        np.array([patch.label for patch in everything]),
        np.array([patch.group for patch in everything]),
        seed=design.seed,
    )
    version = register(settings, tracked, everything, (evaluated, guarantee), design.seed).version
    narrower = stands_on_fewer(tags, chosen.name, len({patch.group for patch in everything}))
    passed = better and not narrower
    reason = f"{reason}; {narrower}" if narrower else reason
    models.record_gate(settings, version, "passed" if passed else reason)
    if promoted := passed and design.promote:
        models.move_alias(settings, version)
    return Retraining(
        pd.DataFrame(rows),
        f"{chosen.name} with the trials against itself without them: {brought}",
        better,
        reason,
        guarantee.policy.reason,
        version,
        promoted,
    )


def _set_aside(gathered: Gathered, design: RetrainingDesign) -> set[str]:
    names = sorted({patch.group for patch in gathered.patches})
    count = round(design.held_out * len(names))
    if count < _LEAST or count == len(names):
        raise DatasetError(
            f"the trials are of {len(names)} vulnerabilities, of which {count} would be set aside to test "
            f"on; at least {_LEAST} are needed, and one to learn from: gather more trials, "
            "or set more aside"
        )
    return set(np.random.default_rng(design.seed).permutation(names)[:count].tolist())
