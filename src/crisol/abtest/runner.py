"""Run an experiment over labelled patches: predict, sample, judge, store.

:func:`run` yields the new trials; each is in the store before it is yielded. The process may be killed at any
moment and :func:`run` called again: stored trials are neither judged nor written twice, and the store ends up
the same as after one run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from crisol.abtest.sampler import Sampler, allots
from crisol.abtest.trial import observe, trial_id
from crisol.errors import DatasetError, ExperimentError
from crisol.model.policy import NEVER, Policy
from crisol.records import LabelledPatch, Outcome, Prediction, Reason, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crisol.abtest.store import TrialStore

__all__ = ["Arm", "Experiment", "Truth", "label_of", "run"]

Predict = Callable[[LabelledPatch], Prediction]


@dataclass(frozen=True, slots=True)
class Truth:
    """The verdict on one patch: the ``outcome``, and the wall time of its wargame in ``seconds``.

    ``reason`` says why the patch is not valid; it is None for a valid patch, or if the reason is unknown.
    """

    outcome: Outcome
    reason: Reason | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """A model version that takes part in an experiment.

    ``name`` is the name of the arm. ``predict`` takes a labelled patch and returns the prediction, which must
    name ``model_version``. ``share``, in (0, 1], is the share of the sampled patches that the arm predicts.
    ``explain`` takes a labelled patch and returns each feature's contribution to the prediction, by name, to
    be stored with the trial; None stores none.
    """

    name: str
    predict: Predict
    model_version: str
    share: float = 1.0
    explain: Callable[[LabelledPatch], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An A/B experiment: one or more arms, and the sampling of the patches that they predict.

    ``name`` is the name of the experiment. The first arm is the champion. A patch is always sampled if the
    champion may not decide it alone under ``policy``; otherwise ``sampler`` decides. An arm whose ``share``
    is below 1 predicts only a part of the sampled patches, chosen by a hash of ``salt`` and the patch. Raises
    :class:`~crisol.errors.ExperimentError` if there are no arms, two arms have the same name, or the share of
    an arm is outside (0, 1].

    >>> from crisol.abtest import HashSampler
    >>> arm = Arm("champion", lambda patch: Prediction(0.9, "m1", "f1"), "m1")
    >>> Experiment("which", (arm,), HashSampler(0.1, "seed"), Policy(accept=0.95)).policy.accept
    0.95
    """

    name: str
    arms: tuple[Arm, ...]
    sampler: Sampler
    policy: Policy = NEVER
    salt: str = "crisol"

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names):
            raise ExperimentError(
                f"experiment {self.name!r}: arms {names} must be at least one, each named once"
            )
        for arm in self.arms:
            if not 0.0 < arm.share <= 1.0:
                raise ExperimentError(f"arm {arm.name!r}: share is {arm.share}, not within (0, 1]")

    def admit(self, trials: Iterable[Trial]) -> None:
        """Check that trials belong to this experiment; call it before adding them to a store.

        A trial must have the experiment's name, the name of one of its arms, and that arm's model version.
        Raises :class:`~crisol.errors.ExperimentError`, which names the first trial that does not belong.
        """
        versions = {arm.name: arm.model_version for arm in self.arms}
        for trial in trials:
            if trial.experiment != self.name:
                raise ExperimentError(
                    f"trial {trial.id}: experiment {trial.experiment!r} is not {self.name!r}"
                )
            if trial.arm not in versions:
                arms = ", ".join(versions)
                raise ExperimentError(f"trial {trial.id}: unknown arm {trial.arm!r}; there are: {arms}")
            if trial.model_version != versions[trial.arm]:
                raise ExperimentError(
                    f"trial {trial.id}, patch {trial.patch}: predicted by model {trial.model_version!r}, "
                    f"but arm {trial.arm!r} is model {versions[trial.arm]!r}; start another arm for "
                    "another model"
                )


def label_of(patch: LabelledPatch) -> Truth:
    """Return the verdict that a patch's label and reason state; nothing is executed, ``seconds`` is 0.

    Label 0 with a reason by which nothing was judged, such as ``sandbox_failed``, gives an inconclusive
    verdict. Raises :class:`~crisol.errors.DatasetError` if the label is neither 0 nor 1, if the reason is
    unknown, and if a patch with label 1 has a reason.
    """
    try:
        reason = Reason(patch.reason) if patch.reason else None
    except ValueError:
        raise DatasetError(
            f"patch {patch.id!r}: {patch.reason!r} is no reason that a wargame gives"
        ) from None
    if patch.label not in {0, 1} or (patch.label == 1 and reason is not None):
        raise DatasetError(f"patch {patch.id!r}: label {patch.label!r} with reason {patch.reason!r}")
    if patch.label == 1:
        return Truth(Outcome.VALID)
    return Truth(Outcome.INVALID if reason is None else reason.outcome, reason)


def run(
    experiment: Experiment,
    patches: Iterable[LabelledPatch],
    store: TrialStore,
    *,
    start: dt.datetime,
    step: dt.timedelta = dt.timedelta(minutes=1),
    judge: Callable[[LabelledPatch], Truth] = label_of,
    chunk: int = 100,
) -> Iterator[Trial]:
    """Run an experiment over patches and yield each new trial; the trials are also added to ``store``.

    Trials are stored after every ``chunk`` patches. Trials that the store has already are neither made again
    nor yielded. The i-th patch, from 0, sampled or not, gets the time ``start + i * step``; ``start`` has a
    time zone. ``judge`` takes a patch and returns its verdict; the default takes the patch's label, so that
    no wargame runs. ``judge`` is called at most once for a patch. Raises the errors of ``judge``, the arms
    and the store, :class:`~crisol.errors.DatasetError` for a patch that occurs twice, and
    :class:`~crisol.errors.InputError` for a ``start`` without a time zone.
    """
    arrivals = enumerate(patches)
    patch_keys: set[tuple[str, str]] = set()
    while arrived := list(islice(arrivals, chunk)):
        for _, patch in arrived:
            if (patch.group, patch.id) in patch_keys:
                raise DatasetError(f"patch {patch.id!r} of {patch.group!r} comes twice")
            patch_keys.add((patch.group, patch.id))
        trials = _chunk(experiment, [(start + i * step, patch) for i, patch in arrived], store, judge)
        store.append(trials)
        yield from trials


@dataclass(frozen=True, slots=True)
class _Planned:
    arm: Arm
    prediction: Prediction
    sampling_probability: float
    id: str


def _chunk(
    experiment: Experiment,
    arrived: list[tuple[dt.datetime, LabelledPatch]],
    store: TrialStore,
    judge: Callable[[LabelledPatch], Truth],
) -> list[Trial]:
    plans = [_plan(experiment, patch) for _, patch in arrived]
    missing = store.missing([planned.id for plan in plans for planned in plan])
    trials: list[Trial] = []
    for (time, patch), plan in zip(arrived, plans, strict=True):
        todo = [planned for planned in plan if planned.id in missing]
        if not todo:
            continue
        truth = judge(patch)
        trials += [
            observe(
                planned.prediction,
                patch=patch.id,
                vulnerability=patch.group,
                cwe=patch.cwe,
                outcome=truth.outcome,
                reason=truth.reason,
                wargame_seconds=truth.seconds,
                sampling_probability=planned.sampling_probability,
                created_at=time,
                experiment=experiment.name,
                arm=planned.arm.name,
                attributions=None if planned.arm.explain is None else planned.arm.explain(patch),
            )
            for planned in todo
        ]
    experiment.admit(trials)
    return trials


def _plan(experiment: Experiment, patch: LabelledPatch) -> list[_Planned]:
    champion = experiment.arms[0]
    first = champion.predict(patch)
    draw = experiment.sampler.draw(patch.id, unsure=experiment.policy.decide(first.probability) is None)
    if not draw.sampled:
        return []
    plan = []
    for arm in experiment.arms:
        if not allots(experiment.salt, patch.id, arm.name, arm.share):
            continue
        prediction = first if arm is champion else arm.predict(patch)
        identity = trial_id(experiment.name, arm.name, patch.id, patch.group, prediction.model_version)
        plan.append(_Planned(arm, prediction, draw.probability * arm.share, identity))
    return plan
