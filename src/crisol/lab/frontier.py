"""The wargames that a model saves, and the wrong decisions that it makes, at each threshold.

The pairs (wargames saved, wrong decisions) of all thresholds form a curve, the frontier.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.model.risk import at_hand, certify, least, operating_point
from crisol.records import LabelledPatch

__all__ = ["frontier", "guarantees", "mistakes", "risk_coverage"]

_LEVELS = (0.02, 0.05, 0.1, 0.2)

_STEPS = np.round(np.linspace(0.5, 1.0, 51), 2)


def frontier(
    truth: NDArray[np.int_],
    probability: NDArray[np.float64],
    *,
    wargame_seconds: float,
    accept_seconds: float,
) -> pd.DataFrame:
    """Return a table of the wargames saved and the wrong decisions for each threshold t: 0.5, 0.51, ..., 1.

    A patch with the probability p of valid is accepted if p >= t, rejected if p < 1 - t, and wargamed
    otherwise. ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``probability`` (n,) is p.
    ``wargame_seconds`` is the cost of a wargame, ``accept_seconds`` that of a false accept, both in seconds.
    Columns: threshold; skipped (share of patches decided without a wargame); wrong_among_accepted (share of
    invalid patches among the accepted ones); false_accepts_of_skipped (accepted invalid patches as a share of
    the skipped patches); right_among_refused (share of valid patches among the rejected ones); seconds (mean
    cost of a patch, in seconds). A share of no patches is nan. The errors are those on these patches, without
    a guarantee for others.
    """
    rows = []
    for bound in _STEPS:
        accepted, rejected = probability >= bound, probability < 1 - bound
        skipped = accepted | rejected
        wrong = accepted & (truth == 0)
        rows.append(
            {
                "threshold": float(bound),
                "skipped": float(skipped.mean()),
                "wrong_among_accepted": _share(wrong, accepted),
                "false_accepts_of_skipped": _share(wrong, skipped),
                "right_among_refused": _share(rejected & (truth == 1), rejected),
                "seconds": float((~skipped).mean() * wargame_seconds + wrong.mean() * accept_seconds),
            }
        )
    return pd.DataFrame(rows)


def guarantees(
    truth: NDArray[np.int_],
    probability: NDArray[np.float64],
    groups: NDArray[np.str_],
    *,
    delta: float = 0.1,
    seed: int,
) -> pd.DataFrame:
    """Return a table of the share of wargames that may be skipped at error levels of 2, 5, 10 and 20 %.

    The level bounds the share of invalid patches among the accepted ones, and of valid patches among the
    rejected ones. ``truth`` (n,) is 1 for a valid patch, 0 for an invalid one; ``probability`` (n,) is the
    probability of valid; ``groups`` (n,) names the vulnerability of each patch. ``delta`` is 1 minus the
    confidence. ``seed`` draws the order in which the statistical tests take the vulnerabilities.

    Columns: level; needed (the number of vulnerabilities that a guarantee at this level needs, if none of
    them has an error); accept_at and reject_at (thresholds with a guarantee, None if there are none);
    accepted, rejected and skipped (shares of all patches at these thresholds); skipped_without and
    wrong_among_accepted_without (skipped share, and share of invalid patches among the accepted ones, at
    thresholds that keep the level on these patches, without a guarantee).
    """
    rows = []
    for level in _LEVELS:
        guarantee = certify(probability, truth, groups, alpha=level, beta=level, delta=delta, seed=seed)
        policy = guarantee.policy
        loosest = at_hand(probability, truth, groups, level)
        without, wrong, _ = operating_point(probability, truth, groups, loosest)
        rows.append(
            {
                "level": level,
                "needed": least(level, delta),
                "accept_at": policy.accept,
                "accepted": float(policy.accepts(probability).mean()),
                "reject_at": policy.reject,
                "rejected": float(policy.refuses(probability).mean()),
                "skipped": guarantee.skipped_share.value,
                "skipped_without": without.value,
                "wrong_among_accepted_without": wrong.value,
            }
        )
    return pd.DataFrame(rows)


def risk_coverage(
    truth: NDArray[np.int_], probability: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two arrays (n,): coverage and error rate.

    Element k, from 0, describes the k + 1 most confident predictions: the coverage is their share of all
    patches, the error rate is the share of wrong predictions among them. ``truth`` (n,) is 1 for a valid
    patch, 0 for an invalid one; ``probability`` (n,) is the probability of valid; 0.5 or more predicts a
    valid patch.
    """
    order = np.argsort(-np.abs(probability - 0.5), kind="stable")
    errors = ((probability >= 0.5) != (truth == 1))[order]
    count = np.arange(1, len(truth) + 1)
    return count / len(truth), np.cumsum(errors) / count


def mistakes(
    patches: tuple[LabelledPatch, ...], probability: NDArray[np.float64], most: int = 10
) -> pd.DataFrame:
    """Return a table of the ``most`` most confident wrong predictions, the most confident on top.

    ``probability`` (patches,) is the probability of valid; 0.5 or more predicts a valid patch. Columns: kind
    (``false accept`` or ``false reject``), group (of the patch), patch (id), origin, probability,
    reason (why the patch is not valid; ``valid`` for a valid patch), diff.
    """
    rows = [
        {
            "kind": "false reject" if patch.label else "false accept",
            "group": patch.group,
            "patch": patch.id,
            "origin": patch.tool,
            "probability": float(predicted),
            "reason": patch.reason or "valid",
            "diff": patch.diff,
        }
        for patch, predicted in zip(patches, probability, strict=True)
        if (predicted >= 0.5) != bool(patch.label)
    ]
    rows.sort(key=lambda row: (-abs(float(str(row["probability"])) - 0.5), str(row["patch"])))
    columns = ["kind", "group", "patch", "origin", "probability", "reason", "diff"]
    return pd.DataFrame(rows[:most], columns=columns)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else float("nan")
