"""Promotion: a challenger becomes champion only if it is not worse.

"Not worse" refers to two measures: the Brier score and the cost in wargames.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crisol.config import Settings
from crisol.errors import DatasetError, ModelError
from crisol.lab.card import card
from crisol.lab.compare import VariantComparison, chosen_variants
from crisol.lab.decisions import act
from crisol.lab.second_stage import second_stage
from crisol.model import serving, training
from crisol.model.cut import policy_within
from crisol.model.evaluation import Evaluation
from crisol.model.learnt import save_learnt
from crisol.model.risk import RiskGuarantee
from crisol.model.scores import LEAST_GROUPS
from crisol.model.variants import Variant
from crisol.records import LabelledPatch
from crisol.tracking import models
from crisol.tracking.registry import CHALLENGER
from crisol.tracking.runs import TrackedRun

__all__ = [
    "Promotion",
    "Registered",
    "check_served",
    "contenders",
    "costs",
    "not_worse",
    "promote",
    "promote_version",
    "register",
    "stands_on_fewer",
]

_BOUND = 0.02
_PRICE = 20.0
_MARGIN = 0.005
_REPEATS = 2000

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Promotion:
    """The result of a promotion: whether the challenger was ``promoted``, and the ``reason``, a sentence."""

    promoted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A model version that was just registered.

    ``version`` is its number in the registry. ``memory`` is a sentence on the thresholds of its second stage,
    or on why it has none.
    """

    version: str
    memory: str


def check_served(variant: Variant) -> None:
    """Raise :class:`~crisol.errors.ModelError` if a variant reads the vulnerable source.

    A service knows only the diff, and cannot use a model of such a variant.
    """
    if variant.reads_source:
        raise ModelError(
            f"{variant.name} reads the source around a patch: it is measured, and cannot be served; "
            "promote another"
        )


def contenders(settings: Settings, challenger: str) -> list[str]:
    """Return the names of the variants that a promotion compares: challenger and champion, sorted.

    ``challenger`` is the name of a variant. The list has the challenger alone if there is no champion, or if
    ``experiments/variants.yaml`` lacks the champion's variant. Raises :class:`~crisol.errors.ModelError` if
    the challenger reads the vulnerable source, and :class:`~crisol.errors.ExperimentError` if it is unknown.
    """
    check_served(chosen_variants(settings, [challenger])[challenger])
    tags = models.holder_tags(settings) or {}
    holder = tags.get("variant", challenger)
    return sorted({challenger, holder} & {challenger, *chosen_variants(settings, ())})


def promote(
    settings: Settings,
    tracked: TrackedRun,
    comparison: VariantComparison,
    name: str,
    seed: int,
    *,
    force: bool = False,
) -> Promotion:
    """Train a variant on all patches of a comparison, register it, and promote it if it passes the gate.

    ``name`` is the name of a variant of the comparison, ``tracked`` the MLflow run that stores the model. The
    first of these rules that applies decides whether the model passes the gate:

    - If there is no champion, or with ``force``, it passes.
    - If it was trained on fewer vulnerabilities than the champion, it fails.
    - If the champion is of the same variant, it passes.
    - If the comparison lacks the champion's variant, it fails.
    - Otherwise it passes if :func:`not_worse` finds its variant no worse than the champion's, by the
      out-of-fold predictions of both.

    ``seed`` seeds the training and the bootstrap of :func:`not_worse`. Raises
    :class:`~crisol.errors.ModelError` if the exported ONNX file gives other probabilities than the model, or
    if the variant reads the vulnerable source or was not compared.
    """
    if name not in comparison.certified:
        raise ModelError(f"{name} was not compared; compared were {', '.join(comparison.certified)}")
    tags = models.holder_tags(settings)
    evaluation = next(evaluation for evaluation in comparison.evaluations if evaluation.name == name)
    judged = evaluation, comparison.certified[name]
    registered = register(settings, tracked, comparison.patches, judged, seed)
    promoted, reason = _gate(tags, comparison, name, seed, force=force)
    forced = force and tags is not None
    models.record_gate(settings, registered.version, "passed" if promoted and not forced else reason)
    if promoted:
        models.move_alias(settings, registered.version)
    return Promotion(promoted, f"version {registered.version}: {reason}. Memory: {registered.memory}")


def promote_version(settings: Settings, version: str, *, force: bool = False) -> Promotion:
    """Make a registered version champion, if it passed its gate or there is no champion.

    ``version`` is the number of the version. A version is refused, too, if it was trained on fewer
    vulnerabilities than the champion. ``force`` makes any version champion. The result says whether it is
    champion now, and why. Raises :class:`~crisol.errors.ModelError` for a version that is not registered.
    """
    listed = {model.version: model for model in models.versions(settings)}
    if version not in listed:
        raise ModelError(f"no version {version!r} is registered; there are {', '.join(listed) or 'none'}")
    model, tags = listed[version], models.holder_tags(settings)
    name = f"version {version} ({model.variant})"
    if not force and (narrower := stands_on_fewer(tags, name, model.vulnerabilities)):
        return Promotion(promoted=False, reason=narrower)
    if not force and tags is not None and model.gate != "passed":
        why = model.gate or f"it was never held against the champion; `crisol promote {model.variant}` does"
        return Promotion(promoted=False, reason=f"{name} may not be champion: {why}")
    models.move_alias(settings, version)
    return Promotion(promoted=True, reason=f"{name} is champion, on {model.vulnerabilities} vulnerabilities")


def _gate(
    tags: dict[str, str] | None, comparison: VariantComparison, name: str, seed: int, *, force: bool
) -> tuple[bool, str]:
    """Return (whether the challenger ``name`` becomes champion, the reason), by the rules of :func:`promote`.

    ``tags`` are the tags of the champion's model version; None means that there is no champion.
    """
    if tags is None:
        return True, f"{name} is champion: there was none"
    holder, count = tags.get("variant", ""), len(np.unique(comparison.groups))
    if force:
        return True, f"{name} replaces {holder} as champion, because it was forced"
    if narrower := stands_on_fewer(tags, name, count):
        return False, narrower
    if holder == name:
        return True, f"{name} stays champion, trained on these patches of {count} vulnerabilities"
    if holder not in comparison.scores:
        return False, f"the champion is {holder or 'unknown'}, which was not compared; compare it, too"
    sides = [
        (
            (comparison.scores[side] - comparison.truth) ** 2,
            costs(comparison.truth, comparison.scores[side], comparison.groups),
        )
        for side in (name, holder)
    ]
    better, reason = not_worse(sides[0], sides[1], comparison.groups, seed=seed)
    decision = (
        f"{name} replaces {holder} as champion"
        if better
        else f"{holder} stays champion, {name} waits as challenger"
    )
    return better, f"{decision}: {reason}"


def stands_on_fewer(tags: Mapping[str, str] | None, name: str, count: int) -> str:
    """Return why a model may not replace a champion that was trained on more vulnerabilities, "" if it may.

    ``count`` is the number of vulnerabilities on which the model was trained; ``name`` is the model's name in
    the message. ``tags`` are the champion's tags in the registry, None if there is no champion. Two tags are
    read: ``vulnerabilities``, the number on which the champion was trained, and ``variant``, the champion's
    name in the message.
    """
    many = int((tags or {}).get("vulnerabilities", "0"))
    if count >= many:
        return ""
    return (
        f"{(tags or {}).get('variant', '')} stays champion: it stands on {many} vulnerabilities and {name} "
        f"on {count}; compare on as many, or force it"
    )


def costs(
    truth: NDArray[np.int_], probability: NDArray[np.float64], groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return the cost of each patch under a model, shape (patches,), in wargames.

    A patch that is wargamed costs 1, an invalid patch that is accepted without a wargame 20, any other patch
    0. ``truth`` (patches,) is 1 for a valid patch, 0 for an invalid one; ``probability`` (patches,) is the
    probability of valid; ``groups`` (patches,) names the vulnerability of each patch. The thresholds for a
    vulnerability are chosen on the patches of all others, so that at most 2 % of each class of these patches
    are decided wrongly.
    """
    accepted, decided = act(truth, probability, groups, partial(policy_within, bound=_BOUND))
    return np.asarray(~decided + _PRICE * (accepted & (truth == 0)), dtype=np.float64)


def not_worse(
    challenger: tuple[_Floats, _Floats],
    champion: tuple[_Floats, _Floats],
    groups: NDArray[np.str_],
    *,
    seed: int,
    weight: _Floats | None = None,
) -> tuple[bool, str]:
    """Return (whether the challenger may replace the champion, the measured figures as a sentence).

    ``challenger`` and ``champion`` are each a pair of arrays (patches,): the squared error of the probability
    of valid, and the cost in wargames (:func:`costs`). The challenger may replace the champion if both hold
    at 95 % confidence: its Brier score is shown to be at most 0.005 higher, and its mean cost is not shown to
    be higher. The test is a paired bootstrap over ``groups`` (patches,), the name of each patch's
    vulnerability; ``seed`` draws the resamples. ``weight`` (patches,) weighs the patches; None weighs them
    equally. With fewer than ten vulnerabilities the challenger may not replace the champion.
    """
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < LEAST_GROUPS:
        return False, f"{len(names)} vulnerabilities show nothing; at least {LEAST_GROUPS} are needed"
    weight = np.ones(len(group)) if weight is None else weight
    size = np.bincount(group, weights=weight)
    drawn = np.random.default_rng(seed).integers(len(size), size=(_REPEATS, len(size)))
    brier, cost = (
        np.bincount(group, weights=weight * (ours - theirs))[drawn].sum(axis=1) / size[drawn].sum(axis=1)
        for ours, theirs in zip(challenger, champion, strict=True)
    )
    middle = [
        np.average(ours - theirs, weights=weight) for ours, theirs in zip(challenger, champion, strict=True)
    ]
    worst, least = float(np.quantile(brier, 0.95)), float(np.quantile(cost, 0.05))
    reason = (
        f"Brier score {middle[0]:+.4f}, at most {worst:+.4f} with confidence 95 % "
        f"({_MARGIN:+.4f} is allowed); cost {middle[1]:+.3f} wargames a patch, at "
        f"least {least:+.3f} (above 0 it is shown to be higher); {len(size)} vulnerabilities"
    )
    return worst <= _MARGIN and least <= 0.0, reason


def register(
    settings: Settings,
    tracked: TrackedRun,
    patches: Sequence[LabelledPatch],
    judged: tuple[Evaluation, RiskGuarantee],
    seed: int,
) -> Registered:
    """Train an evaluated variant on all patches, register it as challenger, and return the new version.

    ``judged`` is the pair (evaluation, guarantee). The hyper-parameters are searched if they were searched
    for the evaluation; the guarantee's policy is stored with the model. A second stage with its own policy is
    stored, too, if ``patches`` has at least two vulnerabilities, two valid and two invalid patches.
    ``tracked`` is the MLflow run that stores the model. ``seed`` seeds the training. Raises
    :class:`~crisol.errors.ModelError` if the exported ONNX file gives other probabilities than the model, or
    if the variant reads the vulnerable source.
    """
    evaluation, guarantee = judged
    name = evaluation.name
    variant = chosen_variants(settings, [name])[name]
    check_served(variant)
    model = training.train(variant, patches, seed=seed, search=bool(evaluation.choices))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_learnt(patches, folder)
        serving.export(model, folder, guarantee.policy, card=card(model, variant, evaluation, guarantee))
        gap = serving.difference(model, folder, patches)
        tracked.metrics({"model.parity": gap, "model.parity_patches": len(patches)})
        if gap > serving.PARITY:
            raise ModelError(
                f"{name}: the compiled form differs by {gap:.2g} from the model that it was made from"
            )
        try:
            stage = second_stage(patches, evaluation.probability, guarantee.policy, seed=seed)
        except DatasetError as missing:
            remembers = {"memory_policy": str(missing)}
        else:
            stage.save(folder / "memory.json")
            remembers = {"memory_version": stage.version, "memory_policy": stage.policy.reason}
        tags = remembers | {
            "variant": name,
            "model_version": model.model_version,
            "feature_version": model.feature_version,
            "seed": str(seed),
            "vulnerabilities": str(model.groups),
        }
        return Registered(models.register(tracked, folder, tags, CHALLENGER), remembers["memory_policy"])
