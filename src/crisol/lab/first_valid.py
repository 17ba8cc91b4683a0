"""The number of wargames until a valid patch is found: in random order, by the model, and by the memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crisol.evidence.memory import Memory
from crisol.evidence.stream import Believe
from crisol.lab.arrivals import Prepared
from crisol.lab.stream_policies import learnt

__all__ = ["ORDERS", "found_by", "totals", "until_first_valid"]

_Ints = NDArray[np.int_]

ORDERS = ("random", "cold", "memory")


def until_first_valid(prepared: Prepared) -> pd.DataFrame:
    """Return a table of how many wargames each group needs until a valid patch is found, in three orders.

    Nothing is executed, since the verdicts are known. Columns: group; candidates and valid (numbers of all
    and of valid candidates); random (wargames in a random order, on average); cold (wargames if the patches
    are taken by the model's probability from the diff alone, highest first); memory (wargames if the second
    stage predicts again after each verdict, and the likeliest patch is taken next). In a corpus table, a
    valid upstream patch is known from the start and is no candidate. Groups without a valid candidate are
    left out.
    """
    believe, rows = learnt(prepared), []
    for group in range(len(prepared.names)):
        members = np.flatnonzero(prepared.group == group)
        left = [int(at) for at in members if not prepared.arrivals[at].reference]
        right = sum(prepared.arrivals[at].patch.valid for at in left)
        if right:
            rows.append(
                {
                    "group": str(prepared.names[group]),
                    "candidates": len(left),
                    "valid": right,
                    "random": (len(left) + 1) / (right + 1),
                    "cold": _cold(prepared, left),
                    "memory": _learning(prepared, believe, group, left),
                }
            )
    return pd.DataFrame(rows, columns=["group", "candidates", "valid", *ORDERS])


def found_by(table: pd.DataFrame, most: int = 16) -> pd.DataFrame:
    """Return a table of the share of groups in which a valid patch is found within n wargames.

    ``table`` comes from :func:`until_first_valid`. The result has one row for each n from 1 to ``most``. The
    column wargames is n; random, cold and memory are the shares in the three orders of
    :func:`until_first_valid`. For random the share is the mean over all possible orders. The shares are nan
    for an empty ``table``.
    """
    rows = []
    for wargames in range(1, most + 1):
        missed = [
            _all_wrong(int(row["candidates"]), int(row["valid"]), wargames)
            for row in table.to_dict("records")
        ]
        row = {"wargames": float(wargames), "random": 1.0 - float(pd.Series(missed, dtype=float).mean())}
        rows.append(row | {order: float((table[order] <= wargames).mean()) for order in ORDERS[1:]})
    return pd.DataFrame(rows)


def totals(table: pd.DataFrame) -> dict[str, float]:
    """Return the number of wargames until a valid patch is found, summed over all groups, for each order.

    ``table`` comes from :func:`until_first_valid`. The orders are random, cold and memory; the keys, for
    MLflow, are ``until_first_valid.random`` and so on. Two further keys hold ratios:
    ``until_first_valid.cold_of_random`` is the sum of cold divided by that of random, and
    ``until_first_valid.memory_of_random`` the sum of memory divided by that of random. For an empty ``table``
    the sums are 0, and there are no ratios.
    """
    whole = {order: float(table[order].sum()) for order in ORDERS}
    shares = {
        f"until_first_valid.{order}_of_random": whole[order] / whole["random"]
        for order in ORDERS[1:]
        if len(table)
    }
    return {f"until_first_valid.{order}": value for order, value in whole.items()} | shares


def _all_wrong(candidates: int, valid: int, drawn: int) -> float:
    """Return the chance that ``drawn`` candidates, drawn without replacement, contain no valid one."""
    if drawn > candidates - valid:
        return 0.0
    rest = candidates - np.arange(drawn)
    return float(np.prod((rest - valid) / rest))


def _cold(prepared: Prepared, left: list[int]) -> int:
    order = sorted(left, key=lambda at: -prepared.arrivals[at].patch.probability)
    return 1 + next(n for n, at in enumerate(order) if prepared.arrivals[at].patch.valid)


def _learning(prepared: Prepared, believe: Believe, group: int, left: list[int]) -> int:
    memory = Memory()
    for at in np.flatnonzero(prepared.group == group):
        if prepared.arrivals[at].reference:
            memory.add(prepared.arrivals[at].patch)
    waiting = list(left)
    for wargames in range(1, len(left) + 1):
        patches = [prepared.arrivals[at].patch for at in waiting]
        if len(memory):
            rows = np.array([memory.recall(patch.sketch, patch.probability).row for patch in patches])
            belief = believe(rows, np.full(len(rows), group))
        else:
            # Without a verdict the cold model decides instead of the memory.
            belief = np.array([patch.probability for patch in patches])
        patch = patches[int(belief.argmax())]
        if patch.valid:
            return wargames
        memory.add(patch)
        waiting.pop(int(belief.argmax()))
    raise ValueError("a group without a valid patch")
