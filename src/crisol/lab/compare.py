"""The comparison of model variants: evaluate each on vulnerabilities it has not seen, and rank them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from crisol.config import Settings, load_settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.decisions import act
from crisol.lab.frontier import frontier, guarantees, risk_coverage
from crisol.lab.ground_truth import wargames_per_second
from crisol.model import dataset, evaluation, variants
from crisol.model.controls import controls
from crisol.model.cut import policy_within
from crisol.model.evaluation import Evaluation, Outer
from crisol.model.risk import RiskGuarantee, certify
from crisol.model.source.registered import with_sources
from crisol.model.variants import Variant
from crisol.records import LabelledPatch

__all__ = [
    "VariantComparison",
    "as_table",
    "chosen_variants",
    "compare",
    "evaluate_each",
    "run",
    "with_source",
]

# A worker ends when its caches have grown; a new one takes over its jobs. joblib warns of that.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)


@dataclass(frozen=True, slots=True)
class VariantComparison:
    """The evaluations of several variants on the same patches, and a table that ranks the variants.

    ``truth`` (patches,) is 1 for a valid patch, 0 for an invalid one. ``evaluations`` has one evaluation for
    each variant, in the order in which the variants were given. ``controls`` has one for each control, a
    guess that ignores what a patch does. ``certified`` maps the name of each variant to its policy with a
    guarantee. ``served`` has the names of the variants that a service can use: those that read the diff
    alone.

    ``table`` has a row for each variant, the best on top: the one with the highest headline_auc, or auc where
    headline_auc is nan. Below are a row for each control, and one for ``wargame alone``: every patch is
    wargamed. A column that does not apply to a row is nan. Columns:

    - variant: the name.
    - headline_auc, headline_low, headline_high: the AUC on the patches by people and agents, and its 95 %
      interval.
    - auc, auc_low, auc_high: the AUC on all patches, and its 95 % interval.
    - false_accept_rate: the share of the invalid patches that are accepted without a wargame.
    - saved: the share of the patches that are decided without a wargame.
    - wargames_per_second: how many patches one process decides in a second, if it wargames only those that
      the model does not decide.
    """

    table: pd.DataFrame
    patches: tuple[LabelledPatch, ...]
    truth: NDArray[np.int_]
    evaluations: tuple[Evaluation, ...]
    controls: tuple[Evaluation, ...]
    certified: dict[str, RiskGuarantee]
    served: frozenset[str]

    @property
    def best(self) -> str:
        """The name of the best variant, that of the top row of ``table``."""
        return str(self.table["variant"].iloc[0])

    @property
    def champion(self) -> str:
        """The name of the variant that a service should use.

        It is the variant in ``served`` whose guaranteed policy skips the largest share of wargames; if
        several skip equally many, the first of them in ``table``. If ``served`` is empty, it is :attr:`best`.
        """
        ranked = [str(name) for name in self.table["variant"] if name in self.served]
        return max(ranked, key=lambda name: self.certified[name].skipped_share.value, default=self.best)

    @property
    def groups(self) -> NDArray[np.str_]:
        """The name of each patch's vulnerability, shape (patches,)."""
        return np.array([patch.group for patch in self.patches])

    @property
    def risk(self) -> pd.DataFrame:
        """A table with a row for each variant: the thresholds of its guaranteed policy, and their errors.

        Columns: variant; accept_at and reject_at (thresholds; None if the policy never accepts or never
        rejects); skipped (share of patches decided without a wargame); wrong_among_accepted (share of invalid
        patches among the accepted ones, None without accept_at); right_among_refused (share of valid patches
        among the rejected ones, None without reject_at); why (a sentence on where the thresholds come from,
        or why they are missing). The error shares are averaged over vulnerabilities. All shares are measured
        on the patches of the comparison.
        """
        rows = [
            {
                "variant": name,
                "accept_at": guarantee.policy.accept,
                "reject_at": guarantee.policy.reject,
                "skipped": guarantee.skipped_share.value,
                "wrong_among_accepted": None
                if guarantee.policy.accept is None
                else guarantee.wrong_among_accepted.value,
                "right_among_refused": None
                if guarantee.policy.reject is None
                else guarantee.right_among_refused.value,
                "why": guarantee.policy.reason,
            }
            for name, guarantee in self.certified.items()
        ]
        return pd.DataFrame(rows)

    @property
    def choices(self) -> pd.DataFrame:
        """A table with a row for each hyper-parameter search.

        Its columns are fold, variant, parameters and auc, see :class:`crisol.model.search.Choice`.
        """
        return as_table(choice for evaluated in self.evaluations for choice in evaluated.choices)

    @property
    def best_scores(self) -> NDArray[np.float64]:
        """The out-of-fold probability of valid by the variant :attr:`best`, shape (patches,)."""
        return self.scores[self.best]

    def frontiers(self, wargame_seconds: float, accept_seconds: float) -> dict[str, pd.DataFrame]:
        """Return for each variant, by name, a table of the shares of saved wargames and wrong decisions.

        There is a row for each threshold. ``wargame_seconds`` is the cost of a wargame, ``accept_seconds``
        that of a false accept, both in seconds. For the columns of the tables see
        :func:`crisol.lab.frontier.frontier`.
        """
        return {
            name: frontier(self.truth, score, wargame_seconds=wargame_seconds, accept_seconds=accept_seconds)
            for name, score in self.scores.items()
        }

    def guarantees(self, seed: int, delta: float = 0.1) -> pd.DataFrame:
        """Return a table of the share of wargames that the champion may skip, for several error levels.

        ``seed`` draws the order in which the statistical tests take the vulnerabilities; ``delta`` is 1 minus
        the confidence. For the columns see :func:`crisol.lab.frontier.guarantees`.
        """
        score = self.scores[self.champion]
        return guarantees(self.truth, score, self.groups, delta=delta, seed=seed)

    @property
    def coverages(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Two arrays (patches,) for each variant, by name: coverage and error rate.

        Element k, from 0, describes the k + 1 most confident predictions: the coverage is their share of all
        patches, the error rate is the share of wrong predictions among them.
        """
        return {name: risk_coverage(self.truth, score) for name, score in self.scores.items()}

    @property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """The out-of-fold probability of valid, shape (patches,), for each variant, by name."""
        return {evaluated.name: evaluated.probability for evaluated in self.evaluations}

    @property
    def intervals(self) -> list[tuple[str, float, float, float]]:
        """Each variant and control as (name, AUC, low, high), with the ends of the AUC's 95 % interval.

        The AUC is that on the patches by people and agents, or on all patches where there are none.
        """
        return [
            (evaluated.name, evaluated.auc, *evaluated.auc_interval)
            if np.isnan(evaluated.headline_auc)
            else (evaluated.name, evaluated.headline_auc, *evaluated.headline_interval)
            for evaluated in (*self.evaluations, *self.controls)
        ]

    @property
    def origins(self) -> pd.DataFrame:
        """A table with a row for each variant and control: name (column ``variant``), and AUC by origin.

        The other columns are the origins that have both valid and invalid patches. If no patch is from a
        person or an agent, there are no other columns.
        """
        return pd.DataFrame(
            [
                {"variant": evaluated.name, **evaluated.by_origin()}
                for evaluated in (*self.evaluations, *self.controls)
            ]
        )

    @property
    def confusions(self) -> dict[str, tuple[int, int, int, int]]:
        """The counts (true accepts, false accepts, false rejects, true rejects) of each variant, by name.

        A probability of valid of at least 0.5 counts as an accept.
        """
        return {evaluated.name: evaluated.confusion for evaluated in self.evaluations}


def chosen_variants(settings: Settings, names: Sequence[str]) -> dict[str, Variant]:
    """Return the variants of ``experiments/variants.yaml`` that ``names`` lists, by name.

    They are in the order of ``names``. If ``names`` is empty, all are returned, in the order of the file.
    Raises :class:`~crisol.errors.ExperimentError` for an unknown name, and where the file cannot be read.
    """
    declared = variants.load_variants(settings.root / "experiments" / "variants.yaml")
    for name in names:
        if name not in declared:
            raise ExperimentError(f"unknown variant {name!r}; known are {', '.join(declared)}")
    return {name: declared[name] for name in names or declared}


def with_source(
    settings: Settings, chosen: dict[str, Variant], patches: Sequence[LabelledPatch], *, named: bool
) -> tuple[dict[str, Variant], list[LabelledPatch]]:
    """Add the vulnerable source to patches, if a variant reads it; return (usable variants, all patches).

    ``chosen`` maps names to variants. Only patches of registered vulnerabilities get their source. If there
    is no such patch, the variants that read the source are left out. ``named`` says that the user named the
    variants; none may be left out then, and :class:`~crisol.errors.DatasetError` is raised instead.
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
    folds: int = 10,
    search: bool = True,
    outer: Outer = "group",
) -> Iterator[Evaluation]:
    """Evaluate variants, as many at a time as there are cores; yield evaluations in the order of variants.

    ``chosen`` maps names to variants, ``folds`` is the largest number of folds. With ``search`` the
    hyper-parameters of each fold are chosen from the variant's grid. Patches with the same value of the field
    ``outer`` (``group``, ``project`` or ``cwe``) stay in one fold. The same ``seed`` gives the same folds,
    resamples and estimators. Raises :class:`~crisol.errors.DatasetError` for fewer than two values of
    ``outer``, or fewer than two patches of a class.
    """
    measure = delayed(evaluation.evaluate)
    yield from Parallel(n_jobs=-1, return_as="generator")(
        measure(variant, patches, seed=seed, folds=folds, search=search, outer=outer)
        for variant in chosen.values()
    )


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
    """Evaluate variants on the conclusive patches of a corpus table by cross-validation, and rank them.

    ``names`` are variants of ``experiments/variants.yaml`` in the workspace that
    :func:`crisol.config.load_settings` finds; if empty, all are compared. With ``search`` the
    hyper-parameters of each fold are chosen from the variant's grid. Patches with the same value of the field
    ``outer`` (``group``, ``project`` or ``cwe``) stay in one fold. The same ``seed`` gives the same folds,
    resamples and estimators. ``watch`` is called with the name of each variant after its evaluation; None
    calls nothing.

    Each variant is measured by two policies, one without and one with a guarantee. The first gives the
    columns ``saved`` and ``false_accept_rate`` of the result's ``table``. Its thresholds for a vulnerability
    are chosen on the patches of all other vulnerabilities: of those patches at most the share
    ``false_accepts`` of the invalid ones is accepted, and at most the same share of the valid ones rejected.
    The second is in ``certified`` of the result: ``alpha`` bounds the share of invalid patches among the
    accepted ones, ``beta`` the share of valid patches among the rejected ones, each with the confidence
    1 - ``delta``.

    Raises :class:`~crisol.errors.ExperimentError` for an unknown variant or ``outer``. Raises
    :class:`~crisol.errors.DatasetError` for fewer than two values of ``outer`` and for fewer than two patches
    of a class. It is also raised if a variant in ``names`` reads the source and no patch is of a registered
    vulnerability.
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
    for evaluated in evaluate_each(patches, chosen, seed, search=search, outer=outer):
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


def as_table(rows: Iterable[Any]) -> pd.DataFrame:
    """Return instances of a dataclass as a table: a row for each, a column for each field.

    Without instances the table has no columns.
    """
    return pd.DataFrame([asdict(row) for row in rows])


def run(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Compare all variants of ``experiments/variants.yaml`` on a corpus table; return the ranking as a table.

    For its columns see ``table`` of :class:`VariantComparison`. The same ``seed`` gives the same folds,
    resamples and estimators. Raises :class:`~crisol.errors.ExperimentError` if the file cannot be read, and
    :class:`~crisol.errors.DatasetError` for fewer than two vulnerabilities or fewer than two patches of a
    class.
    """
    return compare(frame, seed).table
