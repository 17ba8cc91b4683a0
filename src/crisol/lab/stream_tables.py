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
    """Return the shares of patches that a simulated policy skips, accepts and refuses, and its error shares.

    ``played`` is the simulation, ``prepared`` the data of the study. The keys of the result are:

    - ``skipped``, ``accepted``, ``refused``: the shares of all arrivals that the policy decides without a
      wargame, accepts, and refuses.
    - ``seconds``: the wargame time that the policy saves, as a share of the wargame time of all arrivals.
    - ``skipped_low``, ``skipped_high``, ``seconds_low``, ``seconds_high``: the ends of the 95 % intervals of
      ``skipped`` and ``seconds`` over groups, nan for fewer than ten groups.
    - ``false_of_accepted``: the number of accepted invalid patches / accepted patches.
    - ``false_accepts``: the number of accepted invalid patches / skipped patches.
    - ``false_refusals``: the number of refused valid patches / refused patches.

    The last three are 0 if the divisor is 0.
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
    """Return six figures, by name, on how a simulated policy decides near misses.

    ``played`` is the simulation, ``prepared`` the data of the study. A near miss is an invalid patch whose
    similarity to a known valid patch is above 0.8. ``near_misses`` is the number of near misses,
    ``false_accepts`` the number of those that were accepted. ``share`` is the share of the near misses that
    were accepted, ``refused`` the share that were rejected.

    ``accepted`` is the number of accepted patches, valid or not, whose similarity to a known valid patch is
    above 0.8. ``false_of_accepted`` is the share of invalid patches among these. A share of no patches is 0.
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
    """Return a table of how good predictions are after 0, 1, 2, 4, 8 and 16 earlier verdicts, a row for each.

    A row describes the arrivals with exactly this number of earlier verdicts on their group. The row is
    missing if none of them is valid or none is invalid. ``full`` maps the name of each way to predict (see
    :func:`crisol.lab.stream_policies.beliefs`) to a simulation in which every patch is wargamed. ``ladder``
    is the simulation of a policy with all rungs. The columns are:

    - known (number of earlier verdicts), patches (number of arrivals) and groups (number of their groups);
    - auc, auc_low and auc_high (95 % interval), average_precision and calibration_error of the way
      ``memory``;
    - the AUC of each other way, such as auc_cold;
    - skipped, false_of_accepted and false_refusals of ``ladder``, as :func:`outcome` defines them, for its
      own arrivals with this number of earlier verdicts; nan if it has none.
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
    if not inside.any():
        return dict.fromkeys(("skipped", "false_of_accepted", "false_refusals"), float("nan"))
    label, decision = prepared.label[played.arrival], played.decision
    accepted, refused = inside & (decision == 1), inside & (decision == -1)
    return {
        "skipped": _ratio(accepted | refused, inside),
        "false_of_accepted": _ratio(accepted & (label == 0), accepted),
        "false_refusals": _ratio(refused & (label == 1), refused),
    }


def _interval(part: _Floats, whole: _Floats, group: _Ints) -> tuple[float, float]:
    names, number = np.unique(group, return_inverse=True)
    if len(names) < scores.LEAST_GROUPS:
        return float("nan"), float("nan")
    above, below = np.bincount(number, weights=part), np.bincount(number, weights=whole)
    drawn = np.random.default_rng(0).integers(len(names), size=(_BOOTSTRAP, len(names)))
    low, high = np.quantile(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def _ratio(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 0.0
