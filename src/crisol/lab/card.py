"""The model card: what a user should know before a model is trusted (Mitchell et al., 2019)."""

from __future__ import annotations

from math import isnan

from crisol.model.evaluation import Evaluation
from crisol.model.risk import RiskGuarantee
from crisol.model.training import FittedModel
from crisol.model.variants import Variant

__all__ = ["card"]


def card(model: FittedModel, variant: Variant, evaluation: Evaluation, guarantee: RiskGuarantee) -> str:
    """Return the model card as Markdown: what a user should know of a model (Mitchell et al., 2019).

    ``variant`` is the variant from which ``model`` was trained. ``evaluation`` has measures of that variant
    on vulnerabilities that it was not trained on; ``guarantee`` has the model's policy.
    """
    headline = _with_interval(evaluation.headline_auc, evaluation.headline_interval)
    decides = (
        "It never decides alone."
        if guarantee.policy.accept is guarantee.policy.reject is None
        else "It may decide alone."
    )
    return f"""# {model.model_version}

{variant.description}

| | |
|---|---|
| training set (SHA-256) | `{model.data}` |
| patches, vulnerabilities | {model.patches}, {model.groups} |
| features, seed | version {model.feature_version}, {model.seed} |
| AUC on unseen vulnerabilities, patches of agents and people | {headline} |
| the same, all patches | {_with_interval(evaluation.auc, evaluation.auc_interval)} |
| AUC inside vulnerabilities | {evaluation.auc_inside_groups:.3f} |
| average precision | {evaluation.average_precision:.3f} |
| accuracy, of always saying the majority | {evaluation.accuracy:.3f}, {evaluation.majority_accuracy:.3f} |
| Brier score, expected calibration error | {evaluation.brier:.3f}, {evaluation.calibration_error:.3f} |

## Intended use

Ordering candidate patches, and skipping wargames where the thresholds below allow it. Its probability is that
of a wargame
saying valid, from the diff and the CWE alone.

## When it may decide alone

{decides} Asked for at most {guarantee.alpha:.1%} wrong patches among those accepted and
{guarantee.beta:.1%} right ones among
those refused, each with confidence {1 - guarantee.delta:.0%} over vulnerabilities: {guarantee.policy.reason}.

## Limits

It reads neither the source around the diff nor the exploit. Patches that were written to deceive it will; a
wargame is the only verdict. Other languages and kinds of weakness than those of the training set are an
extrapolation: measure first.
"""


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    if isnan(low):
        return f"{value:.3f}, on too few vulnerabilities for an interval"
    return f"{value:.3f}, 95 % interval {low:.3f} to {high:.3f}"
