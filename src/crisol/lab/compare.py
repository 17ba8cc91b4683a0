"""The comparison of model variants: evaluate each on vulnerabilities it has not seen, and rank them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.config import Settings, load_settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.decisions import act
from crisol.lab.frontier import frontier, guarantees, risk_coverage
from crisol.lab.ground_truth import wargames_per_second
from crisol.model import dataset, evaluation, variants
from crisol.model.ablation import ablate
from crisol.model.controls import controls
from crisol.model.cut import policy_within
from crisol.model.evaluation import Evaluation, Outer
from crisol.model.risk import RiskGuarantee, certify
from crisol.model.search import Memo
from crisol.model.source.features import SOURCE_FEATURES
from crisol.model.source.registered import with_sources
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = [
    "VariantComparison",
    "ablations",
    "as_table",
    "chosen_variants",
    "compare",
    "evaluate_each",
    "run",
    "with_source",
]


@dataclass(frozen=True, slots=True)
class VariantComparison:
    """The evaluations of several variants over the same patches, and a table that ranks the variants.

    Columns of ``table``: ``headline_auc`` (AUC on patches of agents and people, by which variants are
    ranked), ``auc`` (AUC on all patches), each with the ends ``_low`` and ``_high`` of its 95 % interval over
    vulnerabilities; ``false_accept_rate`` (share of the wrong patches that are accepted without a wargame);
    ``saved`` (share of patches decided without a wargame); ``wargames_per_second`` (patches that one process
    decides in a second). The last rows are the controls (guesses that ignore what a patch does) and the
    wargame alone.

    ``truth`` (patches,) is 1 for valid. ``certified`` maps a variant's name to its policy with a guarantee.
    ``served`` names the variants that a service can use.
    """

    table: pd.DataFrame
    patches: tuple[LabelledPatch, ...]
    truth: NDArray[np.int_]
    evaluations: tuple[Evaluation, ...]
    controls: tuple[Evaluation, ...]
    """Guesses that never look at what a patch does, see :mod:`crisol.model.controls`."""
    certified: dict[str, RiskGuarantee]
    """By variant: where it may decide alone, with a guarantee over vulnerabilities."""
    served: frozenset[str]
    """Names of the variants that a service can serve: those that read the diff alone."""

    @property
    def best(self) -> str:
        """The name of the variant in the top row of ``table``."""
        return str(self.table["variant"].iloc[0])

    @property
    def champion(self) -> str:
        """The variant of ``served`` whose guaranteed policy skips most wargames; its name.

        Of two equal variants the one with the higher rank is chosen. A variant that reads the vulnerable
        source is not in ``served``. Where ``served`` is empty, the name is that of :attr:`best`.
        """
        ranked = [str(name) for name in self.table["variant"] if name in self.served]
        return max(ranked, key=lambda name: self.certified[name].skipped_share.value, default=self.best)

    @property
    def groups(self) -> NDArray[np.str_]:
        """The vulnerability of each patch, shape (patches,)."""
        return np.array([patch.group for patch in self.patches])

    @property
    def risk(self) -> pd.DataFrame:
        """One row for each variant: the thresholds of its guaranteed policy, and the errors on these patches.

        Columns: variant, accept_at and reject_at (thresholds; None means that the policy never accepts or
        rejects), skipped (share of patches decided without a wargame), false_accepts (share of wrong patches
        among accepted ones), false_rejects (share of right patches among rejected ones), why (the policy's
        reason). Both error shares are means over vulnerabilities, None where the threshold is None.
        """
        rows = [
            {
                "variant": name,
                "accept_at": guarantee.policy.accept,
                "reject_at": guarantee.policy.reject,
                "skipped": guarantee.skipped_share.value,
                "false_accepts": None
                if guarantee.policy.accept is None
                else guarantee.false_accept_rate.value,
                "false_rejects": None
                if guarantee.policy.reject is None
                else guarantee.false_reject_rate.value,
                "why": guarantee.policy.reason,
            }
            for name, guarantee in self.certified.items()
        ]
        return pd.DataFrame(rows)

    @property
    def choices(self) -> pd.DataFrame:
        """One row for each hyper-parameter search.

        Columns are the fields of :class:`crisol.model.search.Choice`.
        """
        return as_table(choice for evaluated in self.evaluations for choice in evaluated.choices)

    @property
    def best_scores(self) -> NDArray[np.float64]:
        """The out-of-fold probabilities of valid by the variant :attr:`best`, shape (patches,)."""
        return self.scores[self.best]

    def frontiers(self, wargame_seconds: float, accept_seconds: float) -> dict[str, pd.DataFrame]:
        """Return the table of :func:`crisol.lab.frontier.frontier` for each variant, by the variant's name.

        ``wargame_seconds`` is the cost of a wargame and ``accept_seconds`` the cost of a false accept.
        """
        return {
            name: frontier(self.truth, score, wargame_seconds=wargame_seconds, accept_seconds=accept_seconds)
            for name, score in self.scores.items()
        }

    def guarantees(self, seed: int, delta: float = 0.1) -> pd.DataFrame:
        """Return the table of :func:`crisol.lab.frontier.guarantees` for the champion.

        ``seed`` orders the vulnerabilities in the test; ``delta`` is 1 minus the confidence.
        """
        score = self.scores[self.champion]
        return guarantees(self.truth, score, self.groups, delta=delta, seed=seed)

    @property
    def coverages(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Two arrays for each variant, by name: shares of patches decided alone, and their error rates."""
        return {name: risk_coverage(self.truth, score) for name, score in self.scores.items()}

    @property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """The out-of-fold probabilities of valid, shape (patches,), by variant name."""
        return {evaluated.name: evaluated.probability for evaluated in self.evaluations}

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Each variant and control as (name, AUC, low, high), on patches of agents and people.

        ``low`` and ``high`` are the ends of the 95 % interval. For a set without such patches the AUC is that
        of all patches.
        """
        return [
            (evaluated.name, evaluated.auc, *evaluated.auc_interval)
            if np.isnan(evaluated.headline_auc)
            else (evaluated.name, evaluated.headline_auc, *evaluated.headline_interval)
            for evaluated in (*self.evaluations, *self.controls)
        ]

    @property
    def origins(self) -> pd.DataFrame:
        """One row for each variant or control: name (``variant``), and one column of AUC for each origin.

        An origin whose patches are all of one class has no AUC.
        """
        return pd.DataFrame(
            [
                {"variant": evaluated.name, **evaluated.by_origin()}
                for evaluated in (*self.evaluations, *self.controls)
            ]
        )

    @property
    def confusions(self) -> dict[str, tuple[int, int, int, int]]:
        """Four counts by variant name: true accepts, false accepts, false rejects, true rejects.

        An accept is a probability of valid of one half or more.
        """
        return {evaluated.name: evaluated.confusion for evaluated in self.evaluations}


def chosen_variants(settings: Settings, names: Sequence[str]) -> dict[str, Variant]:
    """Return the variants of ``experiments/variants.yaml`` with these names; empty ``names`` mean all.

    The result maps a name to its variant. Raises :class:`~crisol.errors.ExperimentError` for an unknown name.
    """
    declared = variants.load_variants(settings.root / "experiments" / "variants.yaml")
    for name in names:
        if name not in declared:
            raise ExperimentError(f"unknown variant {name!r}; known are {', '.join(declared)}")
    return {name: declared[name] for name in names or declared}


def with_source(
    settings: Settings, chosen: dict[str, Variant], patches: Sequence[LabelledPatch], *, named: bool
) -> tuple[dict[str, Variant], list[LabelledPatch]]:
    """Return the variants that can be measured, and the patches, with their vulnerable source if needed.

    ``chosen`` maps a name to its variant. The patches get their vulnerable source if one of these variants
    reads it. Where no patch belongs to a registered vulnerability, variants that read the source cannot be
    measured. With ``named`` False they are left out; with ``named`` True (the user gave their names) the
    function raises :class:`~crisol.errors.DatasetError`.
    """
    readers = [name for name, variant in chosen.items() if variant.reads_source]
    if not readers:
        return chosen, list(patches)
    enriched = with_sources(patches, settings.search_path, settings.cache)
    if any(patch.source for patch in enriched):
        return chosen, enriched
    if named:
        raise DatasetError(
            f"{', '.join(readers)}: reads the vulnerable source, and none of these patches is of a "
            "registered vulnerability"
        )
    return {name: variant for name, variant in chosen.items() if not variant.reads_source}, enriched


def evaluate_each(
    patches: Sequence[LabelledPatch],
    chosen: dict[str, Variant],
    seed: int,
    *,
    search: bool = True,
    outer: Outer = "group",
) -> Iterator[tuple[Evaluation, float]]:
    """Evaluate the variants of ``chosen`` in turn; yield (evaluation, seconds of the evaluation) for each.

    ``chosen`` maps a name to its variant. ``seed``, ``search`` and ``outer`` are those of
    :func:`crisol.model.evaluation.evaluate`.
    """
    memo: Memo = {}
    for variant in chosen.values():
        start = perf_counter()
        evaluated = evaluation.evaluate(variant, patches, seed=seed, search=search, outer=outer, memo=memo)
        yield evaluated, perf_counter() - start


def compare(
    frame: pd.DataFrame,
    seed: int,
    *,
    names: Sequence[str] = (),
    false_accepts: float = 0.05,
    alpha: float = 0.02,
    beta: float = 0.1,
    delta: float = 0.1,
    search: bool = True,
    outer: Outer = "group",
    watch: Callable[[str], object] | None = None,
) -> VariantComparison:
    """Evaluate variants on a corpus table by cross-validation; inconclusive patches are left out.

    ``names`` are variants of ``experiments/variants.yaml``; empty means all. ``false_accepts`` belongs to the
    table's columns ``saved`` and ``false_accept_rate``: their thresholds decide at most this share of each
    class wrongly, on all vulnerabilities but the one that they decide. ``alpha``, ``beta`` and ``delta``
    belong to ``certified``, see :func:`crisol.model.risk.certify`. ``seed``, ``search`` and ``outer`` are
    those of :func:`crisol.model.evaluation.evaluate`. ``watch`` is called with a variant's name after its
    evaluation. Raises :class:`~crisol.errors.ExperimentError` for an unknown variant or ``outer``.
    """
    if outer not in get_args(Outer):
        raise ExperimentError(f"outer is {outer!r}; known are {', '.join(get_args(Outer))}")
    settings = load_settings()
    chosen, patches = with_source(
        settings, chosen_variants(settings, names), dataset.from_table(frame), named=bool(names)
    )
    truth = np.array([patch.label for patch in patches])
    groups = np.array([patch.group for patch in patches])
    rate = wargames_per_second(frame)
    choose = partial(policy_within, bound=false_accepts)
    evaluations, rows, certified = [], [], {}
    for evaluated, _ in evaluate_each(patches, chosen, seed, search=search, outer=outer):
        evaluations.append(evaluated)
        if watch is not None:
            watch(evaluated.name)
        accepted, decided = act(truth, evaluated.probability, groups, choose)
        certified[evaluated.name] = certify(
            evaluated.probability, truth, groups, alpha=alpha, beta=beta, delta=delta, seed=seed
        )
        saved = float(decided.mean())
        rows.append(
            {
                **_aucs(evaluated),
                "rank": evaluated.rank,
                "false_accept_rate": float(accepted[truth == 0].mean())
                if (truth == 0).any()
                else float("nan"),
                "saved": saved,
                "wargames_per_second": rate / max(1.0 - saved, 1.0 / len(truth)),
            }
        )
    table = pd.DataFrame(rows).sort_values(["rank", "variant"], ascending=[False, True], ignore_index=True)
    alone = {"variant": "wargame alone", "false_accept_rate": 0.0, "saved": 0.0, "wargames_per_second": rate}
    guesses = controls(patches, seed=seed, outer=outer)
    below = pd.DataFrame([*map(_aucs, guesses), alone])
    table = pd.concat([table.drop(columns="rank"), below], ignore_index=True)
    served = frozenset(name for name, variant in chosen.items() if not variant.reads_source)
    return VariantComparison(table, tuple(patches), truth, tuple(evaluations), guesses, certified, served)


def _aucs(evaluated: Evaluation) -> dict[str, Any]:
    headline, every = evaluated.headline_interval, evaluated.auc_interval
    return {
        "variant": evaluated.name,
        "headline_auc": evaluated.headline_auc,
        "headline_low": headline[0],
        "headline_high": headline[1],
        "auc": evaluated.auc,
        "auc_low": every[0],
        "auc_high": every[1],
    }


def ablations(settings: Settings, comparison: VariantComparison, seed: int) -> pd.DataFrame:
    """Return the rows of :func:`crisol.model.ablation.ablate` for the champion, with a column ``variant``.

    If the comparison has variants that read the source, rows for the best of them follow; these leave out the
    groups of source features in turn.
    """
    chosen = chosen_variants(settings, list(comparison.scores))
    best = comparison.champion
    rows = as_table(ablate(chosen[best], comparison.patches, seed=seed)).assign(variant=best)
    reader = next(
        (name for name in comparison.table["variant"] if name in chosen and chosen[name].reads_source), ""
    )
    if not reader:
        return rows
    groups = {feature.group for feature in SOURCE_FEATURES}
    more = as_table(ablate(chosen[reader], comparison.patches, seed=seed, only=groups))
    return pd.concat([rows, more.assign(variant=reader)], ignore_index=True)


def as_table(rows: Iterable[Any]) -> pd.DataFrame:
    """Return dataclass records as a table, one row for each."""
    return pd.DataFrame([asdict(row) for row in rows])


def run(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Compare all variants of ``experiments/variants.yaml``; return ``table`` of :class:`VariantComparison`.

    ``frame`` is a corpus table; ``seed`` fixes folds and training.
    """
    return compare(frame, seed).table
