"""Tables of simulated streams: shares, errors and intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.evidence.guarantee import NEAR_MISS
from crisol.evidence.stream import Played
from crisol.lab.arrivals import Prepared
from crisol.model import scores

__all__ = ["KNOWN", "by_known", "near_misses", "outcome"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int_]

KNOWN = (0, 1, 2, 4, 8, 16)
_BOOTSTRAP = 500


def outcome(prepared: Prepared, played: Played) -> dict[str, float]:
    """Return the shares that a simulated policy skips, accepts and rejects, and its error shares, by name.

    Keys: ``skipped`` (share of arrivals decided without a wargame) and ``seconds`` (the wargame time of these
    as a share of the time of all), each with ``_low`` and ``_high``, the 95 % interval over groups;
    ``accepted`` and ``refused`` (shares of all arrivals); ``false_of_accepted`` (share of wrong patches among
    accepted ones); ``false_accepts`` (accepted wrong patches as a share of skipped ones); ``false_refusals``
    (share of right patches among rejected ones). An error share of no patches is 0. ``played`` is the
    simulation, ``prepared`` its data.
    """
    label, group = prepared.label[played.arrival], prepared.group[played.arrival]
    seconds = np.array([prepared.arrivals[at].seconds for at in played.arrival])
    accepted, refused = played.decision == 1, played.decision == -1
    skipped = accepted | refused
    wrong = accepted & (label == 0)
    low, high = _interval(skipped.astype(float), np.ones(len(label)), group)
    saved_low, saved_high = _interval(skipped * seconds, seconds, group)
    return {
        "skipped": float(skipped.mean()),
        "skipped_low": low,
        "skipped_high": high,
        "seconds": float((skipped * seconds).sum() / seconds.sum()),
        "seconds_low": saved_low,
        "seconds_high": saved_high,
        "accepted": float(accepted.mean()),
        "refused": float(refused.mean()),
        "false_accepts": _ratio(wrong, skipped),
        "false_of_accepted": _ratio(wrong, accepted),
        "false_refusals": _ratio(refused & (label == 1), refused),
    }


def near_misses(prepared: Prepared, played: Played) -> dict[str, float]:
    """Return how a simulated policy decides near misses, by name.

    A near miss is a wrong patch with a similarity above 0.8 to a known valid one. Keys: ``near_misses``
    (number of near misses), ``false_accepts`` (number of accepted near misses), ``share`` (accepted ones as a
    share of all near misses), ``refused`` (rejected ones as a share of all near misses), ``accepted`` (number
    of accepted patches, right or wrong, with such a similarity), ``false_of_accepted`` (share of wrong
    patches among the latter). A share of no patches is 0. ``played`` is the simulation, ``prepared`` its
    data.
    """
    wrong = prepared.label[played.arrival] == 0
    alike = np.nan_to_num(played.near_valid) > NEAR_MISS
    near = wrong & alike
    return {
        "near_misses": float(near.sum()),
        "false_accepts": float((near & (played.decision == 1)).sum()),
        "share": _ratio(near & (played.decision == 1), near),
        "refused": _ratio(near & (played.decision == -1), near),
        "accepted": float((alike & (played.decision == 1)).sum()),
        "false_of_accepted": _ratio(near & (played.decision == 1), alike & (played.decision == 1)),
    }


def by_known(prepared: Prepared, full: dict[str, Played], ladder: Played) -> pd.DataFrame:
    """Return a row for each number of earlier verdicts on the group: 0, 1, 2, 4, 8 and 16.

    ``full`` maps the names of :func:`crisol.lab.stream_policies.beliefs` to simulations in which every patch
    is wargamed; the key ``memory`` is required. ``ladder`` is a simulation of the whole ladder. Columns:
    known, patches, groups; AUC (with its 95 % interval), average precision and calibration error of
    ``memory``; the AUC of the other names; skipped, false_of_accepted and false_refusals of the ladder. A row
    in which one class is missing is left out.
    """
    played = full["memory"]
    rows = []
    for known in KNOWN:
        inside = played.known == known
        label = prepared.label[played.arrival[inside]]
        if not inside.any() or not 0 < label.sum() < len(label):
            continue
        group = prepared.names[prepared.group[played.arrival[inside]]]
        belief = played.probability[inside]
        low, high = scores.auc_interval(label, belief, group, repeats=_BOOTSTRAP, seed=prepared.question.seed)
        row: dict[str, float] = {
            "known": known,
            "patches": len(label),
            "groups": len(np.unique(group)),
            "auc": scores.auc(label, belief),
            "auc_low": low,
            "auc_high": high,
        }
        row |= {
            f"auc_{name.replace(' ', '_')}": scores.auc(label, other.probability[inside])
            for name, other in full.items()
            if name != "memory"
        }
        row["average_precision"] = scores.average_precision(label, belief)
        row["calibration_error"] = scores.calibration_error(label, belief)
        row |= _skipped(prepared, ladder, ladder.known == known)
        rows.append(row)
    return pd.DataFrame(rows)


def _skipped(prepared: Prepared, played: Played, inside: NDArray[np.bool_]) -> dict[str, float]:
    label, decision = prepared.label[played.arrival], played.decision
    accepted, refused = inside & (decision == 1), inside & (decision == -1)
    return {
        "skipped": _ratio(accepted | refused, inside),
        "false_of_accepted": _ratio(accepted & (label == 0), accepted),
        "false_refusals": _ratio(refused & (label == 1), refused),
    }


def _interval(part: _Floats, whole: _Floats, group: _Ints) -> tuple[float, float]:
    """Return the 95 % bootstrap of a ratio of sums, in which groups are drawn; nan for too few groups."""
    names, number = np.unique(group, return_inverse=True)
    if len(names) < scores.LEAST_GROUPS:
        return float("nan"), float("nan")
    above, below = np.bincount(number, weights=part), np.bincount(number, weights=whole)
    drawn = np.random.default_rng(0).integers(len(names), size=(_BOOTSTRAP, len(names)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _ratio(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 0.0
