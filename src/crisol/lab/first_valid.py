"""Wargames until the first valid patch of a vulnerability is found, for each order of trying."""

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
    """Return a row for each group: how many wargames each order needs until the first valid patch.

    Columns: group, candidates, valid, and wargames for ``random`` (expected over all orders), ``cold``
    (likeliest first by the model of the diff alone) and ``memory`` (each verdict updates the probabilities of
    those left). Public fixes are known from the start and are no candidates; groups without another valid
    patch are left out.
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
    """Return, for 1 to ``most`` wargames per group, the share of groups whose first valid patch is found.

    ``table`` is that of :func:`until_first_valid`. Columns: wargames, random (the chance over all orders),
    cold, memory.
    """
    rows = []
    for wargames in range(1, most + 1):
        missed = [
            _all_wrong(int(row["candidates"]), int(row["valid"]), wargames)
            for row in table.to_dict("records")
        ]
        row = {"wargames": float(wargames), "random": 1.0 - float(np.mean(missed))}
        rows.append(row | {order: float((table[order] <= wargames).mean()) for order in ORDERS[1:]})
    return pd.DataFrame(rows)


def totals(table: pd.DataFrame) -> dict[str, float]:
    """Return the wargames of all groups until the first valid patch, by order, as metrics.

    ``table`` is that of :func:`until_first_valid`; ``*_of_random`` is the share of the random order's.
    """
    whole = {order: float(table[order].sum()) for order in ORDERS}
    shares = {
        f"until_first_valid.{order}_of_random": whole[order] / whole["random"]
        for order in ORDERS[1:]
        if len(table)
    }
    return {f"until_first_valid.{order}": value for order, value in whole.items()} | shares


def _all_wrong(candidates: int, valid: int, drawn: int) -> float:
    """Return the chance that none of the drawn candidates is valid."""
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
            # Without a verdict the memory hands on to the cold model.
            belief = np.array([patch.probability for patch in patches])
        patch = patches[int(belief.argmax())]
        if patch.valid:
            return wargames
        memory.add(patch)
        waiting.pop(int(belief.argmax()))
    raise ValueError("a group without a valid patch")
