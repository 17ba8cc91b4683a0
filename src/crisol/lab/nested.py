"""One MLflow run for each variant, arm or model, nested below its experiment's run.

All nested runs use the same names for the same measures. So MLflow's compare view, parallel coordinates and
scatter plots can show runs of different experiments together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crisol.lab.compare import chosen_variants
from crisol.tracking import plots
from crisol.tracking.runs import EXPERIMENT_TAG, TrackedRun

if TYPE_CHECKING:
    from crisol.config import Settings
    from crisol.lab.ab_tables import ExperimentResult
    from crisol.lab.compare import VariantComparison
    from crisol.lab.retraining import Retraining
    from crisol.model.evaluation import Evaluation
    from crisol.model.variants import Variant

__all__ = ["log_arms", "log_comparison", "log_evaluation", "log_retraining"]

_SHARES = ("false_accept_rate", "saved", "wargames_per_second")
"""The columns of the comparison's table that are logged in addition to the evaluation's measures."""


def log_evaluation(
    run: TrackedRun,
    evaluated: Evaluation,
    variant: Variant | None = None,
    *,
    name: str = "",
    more: Mapping[str, float] | None = None,
    policy: str = "",
) -> None:
    """Store an evaluation in a new MLflow run, nested below ``run``: parameters, measures and pictures.

    The pictures are the confusion matrix and the curves. ``variant`` is the variant that was evaluated; None
    for a control, whose parameters are only its name. ``name`` is the name of the nested run; empty means
    that of the evaluation. ``more`` are further measures by name, None for no more. ``policy`` is a sentence
    on the thresholds of the model; empty stores none.
    """
    name = name or evaluated.name
    with run.child(name, _recipe(name, variant)) as nested:
        nested.metrics(evaluated.summary() | dict(more or {}))
        if policy:
            nested.tags({"crisol.policy": policy})
        _draw(nested, name, evaluated.confusion, "at a probability of one half")
        curves = plots.curves(evaluated.label, {name: evaluated.probability})
        nested.picture("roc", plots.picture(curves, f"ROC, and precision against recall, of {name}."))


def log_comparison(run: TrackedRun, settings: Settings, comparison: VariantComparison) -> None:
    """Store a comparison in MLflow, with a nested run for each variant and control.

    ``run`` itself gets the measures of the variant ``comparison.champion``, and the names of this variant and
    of ``comparison.best``. The hyper-parameters of the variants are read from ``experiments/variants.yaml``,
    in the workspace of ``settings``.
    """
    variants = chosen_variants(settings, list(comparison.scores))
    rows = {str(row["variant"]): row for row in comparison.table.to_dict("records")}
    for evaluated in (*comparison.evaluations, *comparison.controls):
        name = evaluated.name
        more = {key: float(rows[name][key]) for key in _SHARES}
        guarantee = comparison.certified.get(name)
        if guarantee is not None:
            more["guaranteed_skipped"] = guarantee.skipped_share.value
        policy = "" if guarantee is None else guarantee.policy.reason
        log_evaluation(run, evaluated, variants.get(name), more=more, policy=policy)
        if name == comparison.champion:
            run.metrics(evaluated.summary() | more)
            run.tags({"crisol.policy": policy})
    run.tags({"crisol.champion": comparison.champion, "crisol.best": comparison.best})


def log_arms(run: TrackedRun, result: ExperimentResult) -> None:
    """Store an A/B experiment in MLflow: a nested run for each arm, with its accuracy after each trial.

    ``run`` itself gets the measures of the first arm, the champion, and the name under which the trials are
    stored.
    """
    run.tags({EXPERIMENT_TAG: result.experiment})
    for place, (arm, counts) in enumerate(result.confusions.items()):
        values = result.measures(arm) | dict(
            zip(("true_accepts", "false_accepts", "false_rejects", "true_rejects"), counts, strict=True)
        )
        with run.child(arm, {"variant": arm, "arm": "challenger" if place else "champion"}) as nested:
            nested.tags({EXPERIMENT_TAG: result.experiment})
            nested.metrics(values)
            for step, point in result.steps(arm):
                nested.metrics(point, step)
            _draw(nested, arm, counts, "weighted as its estimates")
        if not place:
            run.metrics(values)


def log_retraining(run: TrackedRun, result: Retraining) -> None:
    """Store a retraining in MLflow, with a nested run for each model.

    ``run`` itself gets the measures of the challenger, and whether it was promoted.
    """
    for row in result.table.to_dict("records"):
        name = str(row.pop("model"))
        params = {"variant": row.pop("variant"), "arm": name}
        values = {str(key): float(value) for key, value in row.items()}
        with run.child(name, params) as nested:
            nested.metrics(values)
        if name == "challenger":
            run.metrics(values)
    run.metrics({"gate.not_worse": float(result.not_worse), "gate.promoted": float(result.promoted)})
    run.tags({"crisol.policy": result.policy})


def _recipe(name: str, variant: Variant | None) -> dict[str, str]:
    if variant is None:
        return {"variant": name}
    parameters = {f"model.{key}": str(value) for key, value in variant.parameters.items()}
    return {"variant": name, "model": variant.model, "features": variant.features, **parameters}


def _draw(run: TrackedRun, name: str, counts: tuple[float, float, float, float], where: str) -> None:
    matrix: Mapping[str, Any] = {name: counts}
    run.picture("confusion", plots.picture(plots.confusion(matrix), f"Confusion matrix of {name} {where}."))
