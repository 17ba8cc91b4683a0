"""Write fitted trees as ONNX: random forests, histogram gradient boosting and LightGBM.

Rows are rounded to 32 bits before anything is fitted (see :class:`crisol.model.matrix.PatchMatrix`), and
thresholds are rounded down here. So each comparison has the same result as in the library that fitted the
tree. The graph contains no calibration, because converters export calibrated pipelines with wrong results and
without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from lightgbm import LGBMClassifier
from onnx import TensorProto, helper
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

__all__ = ["INPUT", "compilable", "to_onnx"]

INPUT = "rows"
_OPSETS = (("", 17), ("ai.onnx.ml", 3))
_IR_VERSION = 8


@dataclass(slots=True)
class _Nodes:
    """The nodes of all trees of an ensemble, as the arrays that ONNX takes; each has one entry for each node.

    An inner node leads to ``yes`` if the feature ``column`` is at most ``threshold``, else to ``no``; both
    are numbers of nodes in its tree. ``value`` is what a leaf adds to the score, None for an inner node.
    """

    tree: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    value: list[float | None] = field(default_factory=list)

    def branch(
        self, where: tuple[int, int], column: int, threshold: float, children: tuple[int, int]
    ) -> None:
        self._add(where, column, _down(threshold), children, None)

    def leaf(self, where: tuple[int, int], value: float) -> None:
        self._add(where, 0, 0.0, (0, 0), value)

    def _add(
        self,
        where: tuple[int, int],
        column: int,
        threshold: float,
        children: tuple[int, int],
        value: float | None,
    ) -> None:
        self.tree.append(where[0])
        self.node.append(where[1])
        self.column.append(column)
        self.threshold.append(threshold)
        self.yes.append(children[0])
        self.no.append(children[1])
        self.value.append(value)


def compilable(model: Any) -> bool:
    """Return whether :func:`to_onnx` accepts a fitted estimator.

    :func:`to_onnx` accepts scikit-learn's random forests, extremely randomised trees and histogram gradient
    boosting, and LightGBM's classifier.
    """
    return isinstance(
        model, RandomForestClassifier | ExtraTreesClassifier | HistGradientBoostingClassifier | LGBMClassifier
    )


def to_onnx(model: Any) -> bytes:
    """Return a fitted tree ensemble as the content of an ONNX file.

    The file's input ``rows`` is float32, shape (n, columns). Its output ``probability``, shape (n, 1), is the
    uncalibrated probability of class 1. Raises TypeError for an estimator that :func:`compilable` refuses.
    """
    nodes, base, logistic = _flatten(model)
    leaves = [i for i, value in enumerate(nodes.value) if value is not None]
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["sum"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[base],
        nodes_treeids=nodes.tree,
        nodes_nodeids=nodes.node,
        nodes_featureids=nodes.column,
        nodes_values=nodes.threshold,
        nodes_modes=["BRANCH_LEQ" if value is None else "LEAF" for value in nodes.value],
        nodes_truenodeids=nodes.yes,
        nodes_falsenodeids=nodes.no,
        target_treeids=[nodes.tree[i] for i in leaves],
        target_nodeids=[nodes.node[i] for i in leaves],
        target_ids=[0] * len(leaves),
        target_weights=[float(nodes.value[i] or 0.0) for i in leaves],
    )
    link = helper.make_node("Sigmoid" if logistic else "Identity", ["sum"], ["probability"])
    graph = helper.make_graph(
        [ensemble, link],
        "patch-validity",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, int(model.n_features_in_)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    exported = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    onnx.checker.check_model(exported)
    return bytes(exported.SerializeToString())


def _flatten(model: Any) -> tuple[_Nodes, float, bool]:
    nodes = _Nodes()
    if isinstance(model, RandomForestClassifier | ExtraTreesClassifier):
        for number, member in enumerate(model.estimators_):
            _forest_tree(nodes, number, member.tree_, len(model.estimators_))
        return nodes, 0.0, False
    if isinstance(model, HistGradientBoostingClassifier):
        # There is no public view of the nodes.
        for number, (grown,) in enumerate(model._predictors):  # noqa: SLF001
            for at, node in enumerate(grown.nodes):
                if node["is_leaf"]:
                    nodes.leaf((number, at), float(node["value"]))
                else:
                    children = (int(node["left"]), int(node["right"]))
                    nodes.branch(
                        (number, at), int(node["feature_idx"]), float(node["num_threshold"]), children
                    )
        return nodes, float(np.ravel(model._baseline_prediction)[0]), True  # noqa: SLF001 - likewise
    if isinstance(model, LGBMClassifier):
        for number, tree in enumerate(model.booster_.dump_model()["tree_info"]):
            for at, node, below in _preorder(tree["tree_structure"]):
                if below is None:
                    nodes.leaf((number, at), float(node["leaf_value"]))
                else:
                    nodes.branch((number, at), node["split_feature"], node["threshold"], below)
        return nodes, 0.0, True
    raise TypeError(f"{type(model).__name__} has no compiled form")


def _forest_tree(nodes: _Nodes, number: int, tree: Any, trees: int) -> None:
    for at in range(tree.node_count):
        if tree.children_left[at] == -1:
            counts = tree.value[at, 0]
            nodes.leaf((number, at), float(counts[1] / counts.sum() / trees))
        else:
            children = (int(tree.children_left[at]), int(tree.children_right[at]))
            nodes.branch((number, at), int(tree.feature[at]), float(tree.threshold[at]), children)


def _preorder(root: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], tuple[int, int] | None]]:
    """Yield (number, node, numbers of its children or None) for each node of a tree of LightGBM's dump.

    ``root`` comes first and has the number 0.
    """
    waiting, count = [(0, root)], 1
    while waiting:
        at, node = waiting.pop()
        if "leaf_value" in node:
            yield at, node, None
            continue
        yield at, node, (count, count + 1)
        waiting += [(count, node["left_child"]), (count + 1, node["right_child"])]
        count += 2


def _down(threshold: float) -> float:
    # ONNX compares 32-bit floats, of which none lies between the result and the threshold.
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))
