"""Decide whether the trees of a loaded model are safe: a prediction ends, and stays inside a tree's arrays.

The compiled code that predicts with a tree checks no index. A forged model file could therefore make it read
memory outside the tree's arrays.
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
"""The nodes of a tree, each as left child, right child, leaf flag (1 means leaf) and column; then the number
of columns."""


def trees(model: Any) -> Iterator[Walk]:
    """Yield the nodes of every tree in a fitted estimator, as five values for each tree.

    They are the arrays (nodes,) of left child, right child, leaf flag (True for a leaf) and column number (-1
    for a test of a category), then the number of columns that the model reads. The trees of forests and of
    histogram gradient boosting are found, also inside pipelines and means; any other estimator yields
    nothing.
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
                # No feature is a category: a node that tests one could read outside the sets of categories.
                column = np.where(nodes["is_categorical"], -1, nodes["feature_idx"].astype(int))
                yield (
                    nodes["left"].astype(int),
                    nodes["right"].astype(int),
                    nodes["is_leaf"].astype(bool),
                    column,
                    model.n_features_in_,
                )


def sound(walk: Walk) -> bool:
    """Return whether a prediction with a tree always ends, and reads only the tree and its input row.

    ``walk`` is the tree, as :func:`trees` yields it. The result is True if each child's index is larger than
    its parent's and less than the number of nodes, and each column number is less than the number of columns.
    A tree without nodes gives False.
    """
    left, right, leaf, column, columns = walk
    own = np.arange(len(left))
    inner = ~leaf
    return bool(
        len(left)
        and all(((child > own) & (child < len(left)))[inner].all() for child in (left, right))
        and ((column >= 0) & (column < columns))[inner].all()
    )
