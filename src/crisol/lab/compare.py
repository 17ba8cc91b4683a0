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
    """Every variant's evaluation over the same patches, and the table that ranks them.

    ``table`` ranks variants by ``headline_auc`` (patches of agents and people, 95 % interval by
    vulnerability); ``auc`` is of all patches; ``false_accept_rate`` the share of wrong patches accepted
    without a wargame; ``saved`` the share of patches without one; ``wargames_per_second`` the patches decided
    per second and process. Below stand the controls (guesses that ignore what a patch does) and the wargame
    alone. ``truth`` (patches,) is 1 for valid; ``certified`` are guaranteed policies; ``served`` names the
    variants that a service can use.
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
        """The name of the variant in the first row of the table: that of the largest rank."""
        return str(self.table["variant"].iloc[0])

    @property
    def champion(self) -> str:
        """The servable variant whose guaranteed policy skips most wargames; the better rank breaks ties.

        Variants that read the vulnerable source cannot be served; :attr:`best` where there is no other.
        """
        ranked = [str(name) for name in self.table["variant"] if name in self.served]
        return max(ranked, key=lambda name: self.certified[name].skipped_share.value, default=self.best)

    @property
    def groups(self) -> NDArray[np.str_]:
        """The vulnerability of each patch."""
        return np.array([patch.group for patch in self.patches])

    @property
    def risk(self) -> pd.DataFrame:
        """One row for each variant: its guaranteed thresholds, and shares measured on these patches.

        Columns: variant, accept_at, reject_at (None: never), skipped (share decided without a wargame),
        false_accepts and false_rejects (means over vulnerabilities; None without the threshold), why.
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
        """One row for each hyper-parameter search, with the fields of :class:`crisol.model.search.Choice`."""
        return as_table(choice for evaluated in self.evaluations for choice in evaluated.choices)

    @property
    def best_scores(self) -> NDArray[np.float64]:
        """The out-of-fold probability of valid for each patch by the best variant, shape (patches,)."""
        return self.scores[self.best]

    def frontiers(self, wargame_seconds: float, accept_seconds: float) -> dict[str, pd.DataFrame]:
        """Return the table of :func:`crisol.lab.frontier.frontier` for each variant, by its name.

        ``wargame_seconds`` is the cost of a wargame, ``accept_seconds`` that of a false accept, in seconds.
        """
        return {
            name: frontier(self.truth, score, wargame_seconds=wargame_seconds, accept_seconds=accept_seconds)
            for name, score in self.scores.items()
        }

    def guarantees(self, seed: int, delta: float = 0.1) -> pd.DataFrame:
        """Return :func:`crisol.lab.frontier.guarantees` of the champion.

        ``delta`` is 1 minus the confidence.
        """
        score = self.scores[self.champion]
        return guarantees(self.truth, score, self.groups, delta=delta, seed=seed)

    @property
    def coverages(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """The curve of :func:`crisol.lab.frontier.risk_coverage` for each variant, by its name."""
        return {name: risk_coverage(self.truth, score) for name, score in self.scores.items()}

    @property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """The out-of-fold probability of valid for each patch, shape (patches,), by variant."""
        return {evaluated.name: evaluated.probability for evaluated in self.evaluations}

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Name, AUC and its 95 % interval of each variant and control, on patches of agents and people.

        For a set without such patches the AUC is that of all patches.
        """
        return [
            (evaluated.name, evaluated.auc, *evaluated.auc_interval)
            if np.isnan(evaluated.headline_auc)
            else (evaluated.name, evaluated.headline_auc, *evaluated.headline_interval)
            for evaluated in (*self.evaluations, *self.controls)
        ]

    @property
    def origins(self) -> pd.DataFrame:
        """One row for each variant or control: its AUC on each origin that has patches of both classes."""
        return pd.DataFrame(
            [
                {"variant": evaluated.name, **evaluated.by_origin()}
                for evaluated in (*self.evaluations, *self.controls)
            ]
        )

    @property
    def confusions(self) -> dict[str, tuple[int, int, int, int]]:
        """Counts (true +, false +, false -, true -) at a probability of one half, by variant.

        Positive means that the model predicts valid.
        """
        return {evaluated.name: evaluated.confusion for evaluated in self.evaluations}


def chosen_variants(settings: Settings, names: Sequence[str]) -> dict[str, Variant]:
    """Return variants of ``experiments/variants.yaml`` by name; empty ``names`` mean all of them.

    Raises :class:`~crisol.errors.ExperimentError` for an unknown name.
    """
    declared = variants.load_variants(settings.root / "experiments" / "variants.yaml")
    for name in names:
        if name not in declared:
            raise ExperimentError(f"unknown variant {name!r}; known are {', '.join(declared)}")
    return {name: declared[name] for name in names or declared}


def with_source(
    settings: Settings, chosen: dict[str, Variant], patches: Sequence[LabelledPatch], *, named: bool
) -> tuple[dict[str, Variant], list[LabelledPatch]]:
    """Return the variants that can be measured, and the patches with vulnerable source if one reads it.

    Where no patch belongs to a registered vulnerability, variants that read the source are left out, or raise
    :class:`~crisol.errors.DatasetError` with ``named`` (the caller asked for them by name).
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
    """Evaluate the variants in turn; yield (evaluation, seconds it took) for each.

    ``search`` and ``outer`` are those of :func:`crisol.model.evaluation.evaluate`.
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
    """Evaluate variants (empty ``names``: all) on a corpus table; inconclusive patches are left out.

    ``false_accepts`` bounds the share of each class that the table's thresholds decide wrongly; they are
    chosen for each vulnerability on all others. ``alpha``, ``beta`` and ``delta`` are those of
    :func:`crisol.model.risk.certify`, ``search`` and ``outer`` those of
    :func:`crisol.model.evaluation.evaluate`. ``watch`` is called with the name of each variant that is done.
    Raises :class:`~crisol.errors.ExperimentError` for an unknown variant or ``outer``.
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

    Where a variant reads the source, rows follow for the best such variant, without each group of source
    features.
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
    """Return the table that compares every variant; see :class:`VariantComparison` for its columns."""
    return compare(frame, seed).table
