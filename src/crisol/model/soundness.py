"""Checks that the trees of a loaded model cannot read outside of their arrays or loop.

Compiled code walks their nodes without looking, so a forged index would read memory that is not the tree's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.pipeline import Pipeline

__all__ = ["Walk", "sound", "trees"]

Walk = tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.bool_], NDArray[np.int_], int]
"""For each node: left child, right child, leaf flag (1 means leaf), column; then the number of columns."""


def trees(model: Any) -> Iterator[Walk]:
    """Yield the node arrays (:data:`Walk`) of every tree in a fitted forest or histogram boosting.

    Pipelines and means of models are searched for such estimators; others yield nothing.
    """
    if isinstance(model, Pipeline):
        yield from trees(model[-1])
    elif isinstance(model, VotingClassifier):
        for member in model.estimators_:
            yield from trees(member)
    elif isinstance(model, RandomForestClassifier | ExtraTreesClassifier):
        for member in model.estimators_:
            tree = member.tree_
            leaf = tree.children_left == -1
            yield tree.children_left, tree.children_right, leaf, tree.feature, model.n_features_in_
    elif isinstance(model, HistGradientBoostingClassifier):
        for stage in model._predictors:  # noqa: SLF001 - there is no public view of the nodes
            for member in stage:
                nodes = member.nodes
                yield (
                    nodes["left"].astype(int),
                    nodes["right"].astype(int),
                    nodes["is_leaf"].astype(bool),
                    nodes["feature_idx"].astype(int),
                    model.n_features_in_,
                )


def sound(walk: Walk) -> bool:
    """Return whether a prediction with this tree ends, and never reads outside of the node arrays or the row.

    It is so if the index of each child is larger than that of its parent and lies inside the arrays, and each
    column index lies inside the row.
    """
    left, right, leaf, column, columns = walk
    own = np.arange(len(left))
    inner = ~leaf
    return bool(
        len(left)
        and all(((child > own) & (child < len(left)))[inner].all() for child in (left, right))
        and ((column >= 0) & (column < columns))[inner].all()
    )
