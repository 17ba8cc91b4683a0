"""The explanation of a comparison: the variant that is explained, and the AUC without each feature group."""

from __future__ import annotations

import pandas as pd

from crisol.config import Settings
from crisol.lab.compare import VariantComparison, as_table, chosen_variants
from crisol.model.ablation import ablate
from crisol.model.compiled import compilable
from crisol.model.source.features import SOURCE_FEATURES
from crisol.model.variants import Variant

__all__ = ["ablations", "explained"]


def explained(settings: Settings, comparison: VariantComparison) -> Variant:
    """Return the best tree-based variant that a service can use; if there is none, ``comparison.champion``.

    Its features can be explained: trees (:func:`crisol.model.compiled.compilable`) read features alone and no
    words, so each feature's contribution can be measured. The best variant is the first in the table of
    ``comparison``.
    """
    chosen = chosen_variants(settings, list(comparison.scores))
    ranked = [chosen[name] for name in comparison.table["variant"] if name in comparison.served]
    trees = (variant for variant in ranked if compilable(variant.estimator(0)[-1]))
    return next(trees, chosen[comparison.champion])


def ablations(settings: Settings, comparison: VariantComparison, seed: int) -> pd.DataFrame:
    """Return a table of the AUC that a variant has without one feature group: a row for each feature group.

    The variant is the one that :func:`explained` returns; its first row is the AUC with all feature groups.
    If the comparison has variants that read the vulnerable source, rows of the best of them follow: one with
    all feature groups, then one for each feature group that is computed from the source. Columns: variant,
    and the fields of :class:`crisol.model.ablation.Ablation` (without, features, auc, auc_alone). The same
    ``seed`` gives the same table.
    """
    chosen = chosen_variants(settings, list(comparison.scores))
    variant = explained(settings, comparison)
    rows = as_table(ablate(variant, comparison.patches, seed=seed)).assign(variant=variant.name)
    reader = next(
        (name for name in comparison.table["variant"] if name in chosen and chosen[name].reads_source), ""
    )
    if not reader:
        return rows
    groups = {feature.group for feature in SOURCE_FEATURES}
    more = as_table(ablate(chosen[reader], comparison.patches, seed=seed, only=groups))
    return pd.concat([rows, more.assign(variant=reader)], ignore_index=True)
